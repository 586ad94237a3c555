//! The dialects of a boot override, as data: which bodies to try, in which order, and whether one took effect.
//!
//! Pure: from a `ComputerSystem` to `PATCH` bodies. Nothing here knows a maker; a service says what it takes in
//! `@Redfish.AllowableValues`, and services that say nothing get the common spelling.

use rack::BootTarget;
use serde_json::{Value, json};

use crate::redfish::json;

/// How Redfish spells a target (DSP0268, `Boot.BootSourceOverrideTarget`).
pub fn spelling(target: BootTarget) -> &'static str {
    match target {
        BootTarget::None => "None",
        BootTarget::Pxe => "Pxe",
        BootTarget::UefiHttp => "UefiHttp",
        BootTarget::Hdd => "Hdd",
        BootTarget::Cd => "Cd",
        BootTarget::BiosSetup => "BiosSetup",
    }
}

/// All targets that Busbar uses.
pub const TARGETS: [BootTarget; 6] = [
    BootTarget::None,
    BootTarget::Pxe,
    BootTarget::UefiHttp,
    BootTarget::Hdd,
    BootTarget::Cd,
    BootTarget::BiosSetup,
];

/// Targets that the system takes, as it spells them.
pub fn offered(system: &Value) -> Vec<String> {
    let boot = &system["Boot"];
    let listed = json::texts(&boot["BootSourceOverrideTarget@Redfish.AllowableValues"]);
    // An older spelling, before the annotation was standard.
    let listed = if listed.is_empty() {
        json::texts(&boot["BootSourceOverrideSupported"])
    } else {
        listed
    };
    if !listed.is_empty() {
        return listed;
    }
    // Some give no list but have the property: then the floor that all of them take.
    if boot["BootSourceOverrideTarget"].is_string() {
        return ["None", "Pxe", "Hdd"].map(str::to_owned).to_vec();
    }
    Vec::new()
}

/// Targets that the system takes, as nouns.
pub fn targets(system: &Value) -> Vec<BootTarget> {
    let have = offered(system);
    let mut out: Vec<BootTarget> = TARGETS
        .into_iter()
        .filter(|t| have.iter().any(|h| h.eq_ignore_ascii_case(spelling(*t))))
        .collect();
    if !out.contains(&BootTarget::Pxe) && network_path(system).is_some() {
        out.push(BootTarget::Pxe);
    }
    out
}

/// Whether the override can be for one boot only.
pub fn once(system: &Value) -> bool {
    let boot = &system["Boot"];
    let listed = json::texts(&boot["BootSourceOverrideEnabled@Redfish.AllowableValues"]);
    !offered(system).is_empty() && (listed.is_empty() || listed.iter().any(|v| v == "Once"))
}

/// A UEFI device path that boots from the network, for services that take only `UefiTarget`.
fn network_path(system: &Value) -> Option<String> {
    offered(system).iter().find(|t| *t == "UefiTarget")?;
    json::texts(&system["Boot"]["UefiTargetBootSourceOverride@Redfish.AllowableValues"])
        .into_iter()
        .find(|p| p.contains("/MAC(") && p.contains("/IPv4(") && !p.contains("/Uri("))
}

/// Bodies to try until one is taken. Empty when the target is not offered.
///
/// `BootSourceOverrideMode` is left out first: sushy-tools changes the firmware when it is sent, and most services
/// keep the mode they have. Services that insist on it get it in a later try, with the value they report.
pub fn bodies(system: &Value, target: BootTarget) -> Vec<Value> {
    let have = offered(system);
    let has = |name: &str| have.iter().find(|h| h.eq_ignore_ascii_case(name)).cloned();
    let mut out = Vec::new();
    if matches!(target, BootTarget::None | BootTarget::Hdd) {
        // Without an override the machine boots as it is set up, which after an installation is from disk.
        if let Some(none) = has("None") {
            out.push(json!({"BootSourceOverrideEnabled": "Disabled"}));
            out.push(json!({"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": none}));
            out.push(json!({"BootSourceOverrideTarget": none}));
        }
        if let Some(disk) = has("Hdd") {
            out.push(json!({"BootSourceOverrideTarget": disk, "BootSourceOverrideEnabled": "Continuous"}));
        }
    } else {
        let enabled = if once(system) { "Once" } else { "Continuous" };
        if let Some(name) = has(spelling(target)) {
            out.push(json!({"BootSourceOverrideTarget": name, "BootSourceOverrideEnabled": enabled}));
            if let Some(mode) = json::text(&system["Boot"]["BootSourceOverrideMode"]) {
                out.push(json!({
                    "BootSourceOverrideTarget": name,
                    "BootSourceOverrideEnabled": enabled,
                    "BootSourceOverrideMode": mode,
                }));
            }
        } else if let (BootTarget::Pxe, Some(path)) = (target, network_path(system)) {
            // Two steps in one body: the path counts only with the target (DSP0268).
            out.push(json!({
                "UefiTargetBootSourceOverride": path,
                "BootSourceOverrideTarget": "UefiTarget",
                "BootSourceOverrideEnabled": enabled,
            }));
        }
    }
    out.into_iter().map(|boot| json!({"Boot": boot})).collect()
}

/// Whether what the system reports is what was wanted.
pub fn is(system: &Value, target: BootTarget) -> bool {
    let boot = &system["Boot"];
    let now = json::text(&boot["BootSourceOverrideTarget"]);
    let off = boot["BootSourceOverrideEnabled"].as_str() == Some("Disabled");
    match target {
        BootTarget::None | BootTarget::Hdd => off || now.is_none_or(|t| t.eq_ignore_ascii_case("Hdd")),
        _ => {
            let name = now.unwrap_or_default();
            let by_path = target == BootTarget::Pxe
                && name == "UefiTarget"
                && network_path(system)
                    .is_some_and(|p| boot["UefiTargetBootSourceOverride"].as_str() == Some(p.as_str()));
            !off && (name.eq_ignore_ascii_case(spelling(target)) || by_path)
        }
    }
}

/// The override in force, as a noun; `None` (the target) when there is none, nothing when it is another or untold.
pub fn current(system: &Value) -> Option<BootTarget> {
    let boot = &system["Boot"];
    if boot["BootSourceOverrideEnabled"].as_str() == Some("Disabled") {
        return Some(BootTarget::None);
    }
    let name = boot["BootSourceOverrideTarget"].as_str()?;
    TARGETS.into_iter().find(|t| name.eq_ignore_ascii_case(spelling(*t)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(allow: &[&str]) -> Value {
        json!({"Boot": {
            "BootSourceOverrideTarget": "Hdd", "BootSourceOverrideEnabled": "Continuous",
            "BootSourceOverrideTarget@Redfish.AllowableValues": allow,
        }})
    }

    #[test]
    fn a_service_without_none_is_cleared_by_hdd() {
        let bodies = bodies(&system(&["Pxe", "Cd", "Hdd"]), BootTarget::None);
        assert_eq!(
            bodies,
            [json!({"Boot": {"BootSourceOverrideTarget": "Hdd", "BootSourceOverrideEnabled": "Continuous"}})]
        );
        assert!(is(&system(&[]), BootTarget::None));
    }

    #[test]
    fn the_mode_is_left_out_first() {
        let mut s = system(&["None", "Pxe"]);
        s["Boot"]["BootSourceOverrideMode"] = json!("UEFI");
        let all = bodies(&s, BootTarget::Pxe);
        assert!(all[0]["Boot"].get("BootSourceOverrideMode").is_none());
        assert_eq!(all[1]["Boot"]["BootSourceOverrideMode"], "UEFI");
    }

    #[test]
    fn uefi_target_stands_in_for_pxe() {
        let mut s = system(&["None", "UefiTarget"]);
        s["Boot"]["UefiTargetBootSourceOverride@Redfish.AllowableValues"] = json!([
            "PciRoot(0x0)/MAC(00,0x1)/IPv4(0.0.0.0)/Uri()",
            "PciRoot(0x0)/MAC(00,0x1)/IPv4(0.0.0.0)"
        ]);
        assert!(targets(&s).contains(&BootTarget::Pxe));
        let body = &bodies(&s, BootTarget::Pxe)[0]["Boot"];
        assert_eq!(
            body["UefiTargetBootSourceOverride"],
            "PciRoot(0x0)/MAC(00,0x1)/IPv4(0.0.0.0)"
        );
    }

    #[test]
    fn what_is_not_offered_has_no_body() {
        assert!(bodies(&system(&["None", "Pxe"]), BootTarget::UefiHttp).is_empty());
        assert!(bodies(&json!({}), BootTarget::Pxe).is_empty());
    }
}
