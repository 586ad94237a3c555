//! What a rack is, told to NetBox: created where it is not there, changed where it differs, deleted only when told.
//!
//! One pass makes the plan and does it: each object is looked up in a snapshot first, so that an export of what NetBox
//! already says sends nothing. With `--dry-run` objects that would be made get ids that nothing is found by, and what
//! hangs on them is planned as new.

use std::collections::BTreeMap;

use anyhow::Result;
use rack::intent::{BoxKind, Face, IntendedBox, Intent};
use rack::request::NodeView;
use reqwest::Method;
use serde_json::{Value, json};

use crate::cli::Cli;
use crate::commands::import::netbox::UNKNOWN;
use crate::commands::netbox::{At, Netbox, Snapshot, id, query, slug};
use crate::output::{self, plain};

/// What is told beside the rack.
pub struct Options<'a> {
    /// Slug of its site.
    pub site: &'a str,
    /// Delete what is not here.
    pub prune: bool,
    /// Do nothing.
    pub dry_run: bool,
}

/// Exports a rack.
pub async fn run(cli: &Cli, at: &At, intent: &Intent, nodes: Vec<NodeView>, options: &Options<'_>) -> Result<u8> {
    let netbox = Netbox::new(at)?;
    let mut x = Exporter {
        netbox: &netbox,
        dry_run: options.dry_run,
        steps: Vec::new(),
        made: 0,
        slugs: BTreeMap::new(),
    };
    x.rack(intent, &nodes, options).await?;
    let count = |verb: &str| x.steps.iter().filter(|s| s.verb == verb).count();
    if cli.json {
        output::json(&x.steps, false)?;
        return Ok(0);
    }
    for s in &x.steps {
        output::text(plain(&format!("{} {} {}", s.sign(), s.what, s.fields.join(", "))));
    }
    let done = if options.dry_run { "would be " } else { "" };
    output::text(format!(
        "{done}created {}, changed {}, deleted {}; notes {}",
        count("create"),
        count("change"),
        count("delete"),
        count("note")
    ));
    Ok(0)
}

#[derive(serde::Serialize)]
struct Step {
    verb: &'static str,
    what: String,
    fields: Vec<String>,
}

impl Step {
    fn sign(&self) -> &'static str {
        match self.verb {
            "create" => "+",
            "change" => "~",
            "delete" => "-",
            _ => "#",
        }
    }
}

struct Exporter<'a> {
    netbox: &'a Netbox,
    dry_run: bool,
    steps: Vec<Step>,
    made: i64,
    /// What was looked up or made, by path and slug.
    slugs: BTreeMap<(String, String), i64>,
}

/// What NetBox answers, as it would be written: choices by value, objects by id.
fn written(v: &Value) -> Value {
    match v {
        Value::Object(o) if o.contains_key("id") && o.contains_key("url") => o["id"].clone(),
        Value::Object(o) if o.contains_key("value") && o.contains_key("label") => o["value"].clone(),
        other => other.clone(),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x.as_f64() == y.as_f64(),
        (Value::String(x), Value::String(y)) => x == y || (x.len() == 17 && x.eq_ignore_ascii_case(y)),
        (Value::Null, Value::String(s)) | (Value::String(s), Value::Null) => s.is_empty(),
        _ => a == b,
    }
}

impl Exporter<'_> {
    fn note(&mut self, what: String) {
        self.steps.push(Step {
            verb: "note",
            what,
            fields: Vec::new(),
        });
    }

    /// Makes an object, or changes what differs of the one that was found; answers its id.
    async fn ensure(&mut self, path: &str, what: String, found: Option<&Value>, wanted: Value) -> Result<i64> {
        let Some(found) = found else {
            self.steps.push(Step {
                verb: "create",
                what,
                fields: Vec::new(),
            });
            if self.dry_run {
                self.made -= 1;
                return Ok(self.made);
            }
            return Ok(id(&self
                .netbox
                .call(Method::POST, &format!("/api/{path}/"), Some(&wanted))
                .await?));
        };
        let mut change = serde_json::Map::new();
        let mut fields = Vec::new();
        for (field, value) in wanted.as_object().into_iter().flatten() {
            let now = written(&found[field]);
            if !same(&now, value) {
                let short = |v: &Value| v.to_string().chars().take(80).collect::<String>();
                fields.push(format!("{field}: {} → {}", short(&now), short(value)));
                change.insert(field.clone(), value.clone());
            }
        }
        if !change.is_empty() {
            self.steps.push(Step {
                verb: "change",
                what,
                fields,
            });
            if !self.dry_run {
                let path = format!("/api/{path}/{}/", id(found));
                self.netbox
                    .call(Method::PATCH, &path, Some(&Value::Object(change)))
                    .await?;
            }
        }
        Ok(id(found))
    }

    async fn delete(&mut self, path: &str, what: String, object: i64) -> Result<()> {
        self.steps.push(Step {
            verb: "delete",
            what,
            fields: Vec::new(),
        });
        if !self.dry_run {
            self.netbox
                .call(Method::DELETE, &format!("/api/{path}/{object}/"), None)
                .await?;
        }
        Ok(())
    }

    async fn by_slug(&mut self, path: &str, name: &str, more: Value) -> Result<i64> {
        let slug = slug(name);
        let key = (path.to_owned(), slug.clone());
        if let Some(known) = self.slugs.get(&key) {
            return Ok(*known);
        }
        let found = self.netbox.all(path, &format!("slug={slug}")).await?;
        if let Some(found) = found.first() {
            self.slugs.insert(key, id(found));
            return Ok(id(found));
        }
        let mut wanted = json!({"name": name, "slug": slug});
        if let (Some(w), Some(more)) = (wanted.as_object_mut(), more.as_object()) {
            w.extend(more.clone());
        }
        let kind = path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches('s')
            .to_owned();
        let made = self.ensure(path, format!("{kind} {name}"), None, wanted).await?;
        self.slugs.insert(key, made);
        Ok(made)
    }

    async fn rack(&mut self, intent: &Intent, nodes: &[NodeView], options: &Options<'_>) -> Result<()> {
        let site = self
            .by_slug("dcim/sites", options.site, json!({"status": "active"}))
            .await?;
        let named = format!("site_id={site}&name={}", query(intent.rack.as_str()));
        let slugged = |all: Vec<Value>| {
            all.into_iter()
                .find(|r| slug(r["name"].as_str().unwrap_or_default()) == intent.rack.as_str())
        };
        let mut racks = if site > 0 {
            self.netbox.all("dcim/racks", &named).await?
        } else {
            Vec::new()
        };
        if racks.is_empty() && site > 0 {
            racks.extend(slugged(
                self.netbox.all("dcim/racks", &format!("site_id={site}")).await?,
            ));
        }
        racks.truncate(1);
        let mut wanted = json!({"site": site, "status": "active"});
        if racks.is_empty() {
            wanted["name"] = json!(intent.rack);
        }
        if let Some(units) = intent.units {
            wanted["u_height"] = json!(units);
        }
        let what = format!("rack {}", intent.rack);
        let rack = self.ensure("dcim/racks", what, racks.first(), wanted).await?;
        let seen = Snapshot::read(self.netbox, racks).await?;
        let mut ids = BTreeMap::new();
        let (mut roles, mut types) = (BTreeMap::new(), BTreeMap::new());
        for b in &intent.boxes {
            let of = (site, rack);
            let device = self.device(intent, b, nodes, &seen, of, &mut roles, &mut types).await?;
            ids.insert(b.slot.to_string(), device);
            self.interfaces(b, device, &seen).await?;
        }
        for b in &intent.boxes {
            self.power(intent, b, &ids, &seen, options.prune).await?;
        }
        self.cables(intent, &ids, &seen, options.prune).await?;
        for d in seen.devices.iter().filter(|d| !ids.values().any(|i| *i == id(d))) {
            let name = d["name"].as_str().unwrap_or("without a name");
            if options.prune {
                self.delete("dcim/devices", format!("device {name}"), id(d)).await?;
            } else {
                self.note(format!("device {name} stands in NetBox only; --prune deletes it"));
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "one object with what it hangs on")]
    async fn device(
        &mut self,
        intent: &Intent,
        b: &IntendedBox,
        nodes: &[NodeView],
        seen: &Snapshot,
        (site, rack): (i64, i64),
        roles: &mut BTreeMap<&'static str, i64>,
        types: &mut BTreeMap<(String, String), i64>,
    ) -> Result<i64> {
        let name = b.name.clone().unwrap_or_else(|| format!("{}-{}", intent.rack, b.slot));
        let found = seen
            .devices
            .iter()
            .find(|d| d["local_context_data"]["busbar"]["slot"] == b.slot.as_str());
        let serial = b.serial.as_deref().unwrap_or_default();
        let found = found.or_else(|| {
            seen.devices
                .iter()
                .find(|d| !serial.is_empty() && d["serial"] == serial)
        });
        let found = found.or_else(|| seen.devices.iter().find(|d| d["name"] == name.as_str()));
        let found = found.or_else(|| {
            seen.devices
                .iter()
                .find(|d| b.unit.is_some() && d["position"].as_f64() == b.unit)
        });
        let role = match found {
            Some(d) => id(&d["role"]),
            None => self.role(b.kind, roles).await?,
        };
        let device_type = self.device_type(b, found, seen, types).await?;
        let mut own = json!({"slot": b.slot, "kind": b.kind, "bill": b.bill, "firmware": b.firmware});
        if let Some(bmc) = &b.bmc {
            own["bmc"] = json!(bmc);
        }
        // A cable needs both its ends in NetBox; where the other is not, what is known of it is kept here.
        for p in &b.ports {
            if let Some(to) = &p.to
                && !self.has_port(intent, to).await?
            {
                own["cables"][p.id.as_str()] = json!(to);
            }
        }
        let mut context = found
            .map(|d| d["local_context_data"].clone())
            .filter(Value::is_object)
            .unwrap_or_else(|| json!({}));
        context["busbar"] = own;
        let node = nodes.iter().find(|n| n.node.place == intent.place(b));
        let status = match (b.kind, node) {
            (BoxKind::Server, None) => "planned",
            (BoxKind::Server, Some(n)) if n.live.silent.is_some() => "offline",
            _ => "active",
        };
        let mut wanted = json!({
            "name": name, "device_type": device_type, "role": role, "site": site, "rack": rack, "serial": serial,
            "status": status, "position": b.unit, "local_context_data": context,
        });
        if b.unit.is_some() {
            wanted["face"] = json!(if b.face == Face::Rear { "rear" } else { "front" });
        }
        if let Some(asset) = &b.asset {
            wanted["asset_tag"] = json!(asset);
        }
        self.ensure("dcim/devices", format!("device {name}"), found, wanted)
            .await
    }

    async fn role(&mut self, kind: BoxKind, roles: &mut BTreeMap<&'static str, i64>) -> Result<i64> {
        let name = match kind {
            BoxKind::Server => "Server",
            BoxKind::Pdu => "PDU",
            BoxKind::Switch => "Switch",
            BoxKind::Other => "Other",
        };
        if let Some(known) = roles.get(name) {
            return Ok(*known);
        }
        let made = self
            .by_slug("dcim/device-roles", name, json!({"color": "9e9e9e"}))
            .await?;
        roles.insert(name, made);
        Ok(made)
    }

    /// The type of a box. One that NetBox has is left as it is: others use it too.
    async fn device_type(
        &mut self,
        b: &IntendedBox,
        found: Option<&Value>,
        seen: &Snapshot,
        types: &mut BTreeMap<(String, String), i64>,
    ) -> Result<i64> {
        let maker = b.maker.clone().unwrap_or_else(|| UNKNOWN.into());
        let model = b.model.clone().unwrap_or_else(|| UNKNOWN.into());
        let now = found.map(|d| &d["device_type"]);
        if let Some(t) = now.filter(|t| t["model"] == model.as_str() && t["manufacturer"]["name"] == maker.as_str()) {
            return Ok(id(t));
        }
        let key = (maker.clone(), model.clone());
        if let Some(known) = types.get(&key) {
            return Ok(*known);
        }
        let of = |t: &&Value| t["model"] == model.as_str() && t["manufacturer"]["name"] == maker.as_str();
        let made = match seen.types.iter().find(of) {
            Some(t) => id(t),
            None => {
                let manufacturer = self.by_slug("dcim/manufacturers", &maker, json!({})).await?;
                let named = format!("manufacturer_id={manufacturer}&model={}", query(&model));
                let there = if manufacturer > 0 {
                    self.netbox.all("dcim/device-types", &named).await?
                } else {
                    Vec::new()
                };
                match there.first() {
                    Some(t) => id(t),
                    None => {
                        let height = b.height.unwrap_or(if b.unit.is_some() { 1.0 } else { 0.0 });
                        let wanted = json!({"manufacturer": manufacturer, "model": model, "slug": slug(&format!("{maker}-{model}")),
                            "u_height": height, "is_full_depth": !b.half_depth});
                        self.ensure(
                            "dcim/device-types",
                            format!("device type {maker} {model}"),
                            None,
                            wanted,
                        )
                        .await?
                    }
                }
            }
        };
        types.insert(key, made);
        Ok(made)
    }

    async fn interfaces(&mut self, b: &IntendedBox, device: i64, seen: &Snapshot) -> Result<()> {
        for p in &b.ports {
            let mine = || seen.interfaces.iter().filter(|i| id(&i["device"]) == device);
            let mac = p.mac.map(|m| m.to_string());
            let by_mac = |i: &&Value| mac.is_some() && i["mac_address"].as_str().map(str::to_lowercase) == mac;
            let found = mine()
                .find(by_mac)
                .or_else(|| mine().find(|i| i["name"] == p.id.as_str()));
            let mut wanted = json!({});
            if found.is_none() {
                wanted = json!({"device": device, "name": p.id, "type": "other"});
            }
            if let Some(mac) = mac {
                wanted["mac_address"] = json!(mac);
            }
            self.ensure(
                "dcim/interfaces",
                format!("interface {} of {}", p.id, b.slot),
                found,
                wanted,
            )
            .await?;
        }
        Ok(())
    }

    /// An inlet for each outlet that feeds a box, and the cable between them.
    async fn power(
        &mut self,
        intent: &Intent,
        b: &IntendedBox,
        ids: &BTreeMap<String, i64>,
        seen: &Snapshot,
        prune: bool,
    ) -> Result<()> {
        let device = ids.get(b.slot.as_str()).copied().unwrap_or(0);
        let mine: Vec<&Value> = seen.inlets.iter().filter(|i| id(&i["device"]) == device).collect();
        let mut taken: Vec<i64> = Vec::new();
        for (n, o) in b.outlets.iter().enumerate() {
            let pdu = o
                .pdu
                .slot()
                .filter(|_| o.pdu.rack() == intent.rack.as_str())
                .and_then(|s| ids.get(s))
                .copied();
            let Some(pdu) = pdu else {
                self.note(format!(
                    "{}: {} stands in no exported place, so no cable to it",
                    b.slot, o.pdu
                ));
                continue;
            };
            let ends = |i: &&&Value| {
                let far = &i["connected_endpoints"][0];
                far["name"] == o.outlet.as_str() && id(&far["device"]) == pdu
            };
            if let Some(there) = mine.iter().find(ends) {
                taken.push(id(there));
                continue;
            }
            let outlet = seen
                .outlets
                .iter()
                .find(|x| id(&x["device"]) == pdu && x["name"] == o.outlet.as_str());
            if let Some(cable) = outlet.map(|x| id(&x["cable"])).filter(|c| *c > 0) {
                if !prune {
                    self.note(format!(
                        "outlet {}/{} is cabled elsewhere in NetBox; --prune cuts that cable",
                        o.pdu, o.outlet
                    ));
                    continue;
                }
                self.delete("dcim/cables", format!("cable of outlet {}/{}", o.pdu, o.outlet), cable)
                    .await?;
            }
            let wanted = json!({"device": pdu, "name": o.outlet});
            let wanted = if outlet.is_some() { json!({}) } else { wanted };
            let outlet = self
                .ensure(
                    "dcim/power-outlets",
                    format!("outlet {}/{}", o.pdu, o.outlet),
                    outlet,
                    wanted,
                )
                .await?;
            let free = |i: &&&Value| i["cable"].is_null() && !taken.contains(&id(i));
            let inlet = mine.iter().find(free).copied();
            let name = format!("psu{}", n + 1);
            let wanted = if inlet.is_some() {
                json!({})
            } else {
                json!({"device": device, "name": name})
            };
            let inlet = self
                .ensure("dcim/power-ports", format!("inlet {name} of {}", b.slot), inlet, wanted)
                .await?;
            taken.push(inlet);
            let wanted = json!({"a_terminations": [{"object_type": "dcim.poweroutlet", "object_id": outlet}],
                "b_terminations": [{"object_type": "dcim.powerport", "object_id": inlet}], "status": "connected"});
            self.ensure(
                "dcim/cables",
                format!("cable {}/{} to {}", o.pdu, o.outlet, b.slot),
                None,
                wanted,
            )
            .await?;
        }
        Ok(())
    }

    /// Whether the end of a cable is in NetBox, or is made in the same run.
    async fn has_port(&self, intent: &Intent, end: &rack::node::Neighbour) -> Result<bool> {
        let mine =
            |b: &IntendedBox| end.system == *b.slot.as_str() || end.system == format!("{}-{}", intent.rack, b.slot);
        if intent.boxes.iter().any(mine) {
            return Ok(true);
        }
        Ok(self.port(end).await?.is_some())
    }

    /// An interface by the names of its device and itself. The device is looked for first: NetBox refuses to look for
    /// interfaces of a device that it does not have.
    async fn port(&self, end: &rack::node::Neighbour) -> Result<Option<Value>> {
        let named = format!("name={}", query(&end.system));
        for device in self.netbox.all("dcim/devices", &named).await? {
            let at = format!("device_id={}&name={}", id(&device), query(&end.port));
            if let Some(port) = self.netbox.all("dcim/interfaces", &at).await?.into_iter().next() {
                return Ok(Some(port));
            }
        }
        Ok(None)
    }

    /// Cables by what ports hear (LLDP).
    async fn cables(
        &mut self,
        intent: &Intent,
        ids: &BTreeMap<String, i64>,
        seen: &Snapshot,
        prune: bool,
    ) -> Result<()> {
        for b in &intent.boxes {
            let device = ids.get(b.slot.as_str()).copied().unwrap_or(0);
            for p in &b.ports {
                let Some(to) = &p.to else { continue };
                let label = format!("cable {} of {} to {} {}", p.id, b.slot, to.system, to.port);
                if device < 0 {
                    if !self.has_port(intent, to).await? {
                        self.note(format!("{label}: NetBox has no such port"));
                        continue;
                    }
                    self.steps.push(Step {
                        verb: "create",
                        what: label,
                        fields: Vec::new(),
                    });
                    continue;
                }
                // Read anew: an interface that was made a moment ago is in no snapshot.
                let own = format!("device_id={device}&name={}", query(&p.id));
                let own = match seen
                    .interfaces
                    .iter()
                    .find(|i| id(&i["device"]) == device && i["name"] == p.id.as_str())
                {
                    Some(i) => vec![i.clone()],
                    None => self.netbox.all("dcim/interfaces", &own).await?,
                };
                let Some(own) = own.first() else { continue };
                let far = &own["connected_endpoints"][0];
                let heard = rack::node::Neighbour {
                    system: far["device"]["name"].as_str().unwrap_or_default().to_owned(),
                    port: far["name"].as_str().unwrap_or_default().to_owned(),
                };
                if plan::fsck::cable::ends_at(intent, to, &heard) {
                    continue;
                }
                let Some(there) = self.port(to).await? else {
                    self.note(format!("{label}: NetBox has no such port"));
                    continue;
                };
                let cables = [id(&own["cable"]), id(&there["cable"])].into_iter().filter(|c| *c > 0);
                let cables: Vec<i64> = cables.collect();
                if !cables.is_empty() && !prune {
                    self.note(format!(
                        "{label}: one of its ports is cabled elsewhere in NetBox; --prune cuts that cable"
                    ));
                    continue;
                }
                for cable in cables {
                    self.delete("dcim/cables", format!("the one in the way of {label}"), cable)
                        .await?;
                }
                let wanted = json!({"a_terminations": [{"object_type": "dcim.interface", "object_id": id(own)}],
                    "b_terminations": [{"object_type": "dcim.interface", "object_id": id(&there)}], "status": "connected"});
                self.ensure("dcim/cables", label, None, wanted).await?;
            }
        }
        Ok(())
    }
}
