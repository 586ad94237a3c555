//! The same instance as cloud-init's NoCloud seed: four files.
//!
//! All four are always there. cloud-init (22.4 and later) asks for a file that is missing eleven times, a second apart,
//! before it goes on: vendor data in every version, the network configuration since 24.3.

use serde_json::json;

use crate::desk::Instance;

/// A configuration that configures nothing. cloud-init gives up on a seed without user data.
const NOTHING: &str = "#cloud-config\n{}\n";

/// The files of a seed.
pub(super) const FILES: [&str; 4] = ["meta-data", "user-data", "vendor-data", "network-config"];

/// The file of this name.
pub(super) fn file(instance: &Instance, name: &str) -> Option<String> {
    match name {
        "meta-data" => Some(meta_data(instance)),
        "user-data" => Some(instance.user_data.clone().unwrap_or_else(|| NOTHING.to_owned())),
        "vendor-data" => Some(NOTHING.to_owned()),
        "network-config" => Some(network_config(instance)),
        _ => None,
    }
}

/// JSON, which is YAML too (YAML 1.2 §1.3), and whose quoting no host name or key can break out of.
fn meta_data(instance: &Instance) -> String {
    let data = json!({
        "instance-id": instance.id,
        "local-hostname": instance.host_name,
        "public-keys": instance.ssh_keys,
        "availability-zone": instance.zone,
    });
    format!("{data:#}\n")
}

/// DHCP on the boot port, which is what cloud-init falls back to; said, so that it needn't find the port by guessing.
fn network_config(instance: &Instance) -> String {
    let config = json!({
        "version": 2,
        "ethernets": {"boot": {"match": {"macaddress": instance.mac}, "dhcp4": true}},
    });
    format!("{config:#}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::instance;
    use super::*;

    #[test]
    fn user_data_is_there_even_when_none_was_given() {
        let mut bare = instance(9);
        bare.user_data = None;
        assert_eq!(file(&bare, "user-data").unwrap(), NOTHING);
        assert_eq!(file(&bare, "../meta-data"), None);
    }

    #[test]
    fn no_value_breaks_out_of_its_quotes() {
        let mut hostile = instance(9);
        hostile.ssh_keys = vec!["ssh-rsa A\"\n}: - x\n".to_owned()];
        let read: serde_json::Value = serde_json::from_str(&file(&hostile, "meta-data").unwrap()).unwrap();
        assert_eq!(read["public-keys"][0], "ssh-rsa A\"\n}: - x\n");
        assert_eq!(read["instance-id"], hostile.id.as_str());
    }
}
