//! One instance as EC2's tree of metadata: a pure function from an [`Instance`] to a tree, and from a path to an answer.
//!
//! Clients crawl: they read a listing, then every name in it. So a listing and what can be read come from the same
//! value, and a name that is listed never answers anything but 200 (cloud-init throws everything away otherwise).

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use crate::desk::Instance;

/// Versions of EC2's tree that are answered, all with the same content; clients pick the newest that they know.
pub const VERSIONS: [&str; 30] = [
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2021-07-15",
    "2022-07-09",
    "2022-09-24",
    "2024-04-11",
    "latest",
];

/// What instances say they are: a machine of its own, not a share of one.
const INSTANCE_TYPE: &str = "busbar.metal";

/// Name under which the machine's keys are listed.
const KEY_LABEL: &str = "0=busbar";

/// A place in the tree.
#[derive(PartialEq)]
pub(super) enum Node {
    /// A value.
    Leaf(String),
    /// Names with what is below them, in the order in which they are listed.
    Dir(Vec<Entry>),
}

/// A name in a listing.
#[derive(PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// How the listing shows it, where that isn't the name with a slash for what has children.
    label: Option<&'static str>,
    pub(super) node: Node,
}

fn leaf(name: &str, value: impl Into<String>) -> Entry {
    Entry {
        name: name.to_owned(),
        label: None,
        node: Node::Leaf(value.into()),
    }
}

fn dir(name: &str, entries: Vec<Entry>) -> Entry {
    Entry {
        name: name.to_owned(),
        label: None,
        node: Node::Dir(entries),
    }
}

fn labelled(label: &'static str, entry: Entry) -> Entry {
    Entry {
        label: Some(label),
        ..entry
    }
}

/// The tree below a version.
pub(super) fn tree(instance: &Instance) -> Node {
    let identity = dir("instance-identity", vec![leaf("document", document(instance))]);
    let mut top = vec![
        labelled("dynamic", dir("dynamic", vec![identity])),
        labelled("meta-data", dir("meta-data", meta_data(instance))),
    ];
    top.extend(instance.user_data.as_deref().map(|data| leaf("user-data", data)));
    Node::Dir(top)
}

fn meta_data(instance: &Instance) -> Vec<Entry> {
    let mut entries = vec![
        leaf("ami-id", &instance.image),
        leaf("ami-launch-index", "0"),
        leaf("hostname", &instance.host_name),
        leaf("instance-id", &instance.id),
        leaf("instance-type", INSTANCE_TYPE),
        leaf("local-hostname", &instance.host_name),
        leaf("local-ipv4", instance.address.to_string()),
        leaf("mac", instance.mac.to_string()),
        dir(
            "network",
            vec![dir("interfaces", vec![dir("macs", vec![interface(instance)])])],
        ),
        dir(
            "placement",
            vec![
                leaf("availability-zone", &instance.zone),
                leaf("host-id", &instance.place),
                leaf("region", &instance.zone),
            ],
        ),
    ];
    if !instance.ssh_keys.is_empty() {
        // All keys under one name: some clients read only the first.
        let keys = dir("0", vec![leaf("openssh-key", instance.ssh_keys.join("\n"))]);
        entries.push(dir("public-keys", vec![labelled(KEY_LABEL, keys)]));
    }
    entries
}

fn interface(instance: &Instance) -> Entry {
    let subnet = subnet(instance.address, instance.prefix);
    dir(
        &instance.mac.to_string(),
        vec![
            leaf("device-number", "0"),
            leaf("local-hostname", &instance.host_name),
            leaf("local-ipv4s", instance.address.to_string()),
            leaf("mac", instance.mac.to_string()),
            leaf("subnet-ipv4-cidr-block", &subnet),
            // Its presence tells cloud-init that this isn't EC2 Classic, which it would configure differently.
            leaf("vpc-id", "vpc-busbar"),
            leaf("vpc-ipv4-cidr-block", &subnet),
        ],
    )
}

fn subnet(address: Ipv4Addr, prefix: u8) -> String {
    let prefix = u32::from(prefix.min(32));
    let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
    format!("{}/{prefix}", Ipv4Addr::from_bits(address.to_bits() & mask))
}

/// EC2's identity document, with the members that are known here.
fn document(instance: &Instance) -> String {
    let document = json!({
        "availabilityZone": instance.zone,
        "imageId": instance.image,
        "instanceId": instance.id,
        "instanceType": INSTANCE_TYPE,
        "privateIp": instance.address,
        "region": instance.zone,
        "version": "2017-09-30",
    });
    format!("{document:#}")
}

impl Node {
    /// What a path leads to. Slashes at its end and doubled ones don't count, as on EC2.
    pub(super) fn find(&self, path: &str) -> Option<&Node> {
        path.split('/')
            .filter(|part| !part.is_empty())
            .try_fold(self, |node, part| match node {
                Node::Dir(entries) => entries.iter().find(|e| e.name == part).map(|e| &e.node),
                Node::Leaf(_) => None,
            })
    }

    /// As EC2 writes it: a value as it is, names one a line.
    pub(super) fn text(&self) -> String {
        match self {
            Node::Leaf(value) => value.clone(),
            Node::Dir(entries) => entries.iter().map(Entry::listed).collect::<Vec<_>>().join("\n"),
        }
    }

    /// As Firecracker's MMDS writes it for `Accept: application/json`.
    pub(super) fn json(&self) -> Value {
        match self {
            Node::Leaf(value) => Value::String(value.clone()),
            Node::Dir(entries) => {
                let members: Map<String, Value> = entries.iter().map(|e| (e.name.clone(), e.node.json())).collect();
                Value::Object(members)
            }
        }
    }
}

impl Entry {
    fn listed(&self) -> String {
        match (self.label, &self.node) {
            (Some(label), _) => label.to_owned(),
            (None, Node::Leaf(_)) => self.name.clone(),
            (None, Node::Dir(_)) => format!("{}/", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::tests::instance;
    use super::*;

    fn read(path: &str) -> Option<String> {
        tree(&instance(9)).find(path).map(Node::text)
    }

    #[test]
    fn the_tree_reads_as_on_ec2() {
        for (path, want) in [
            ("", "dynamic\nmeta-data\nuser-data"),
            (
                "meta-data/",
                "ami-id\nami-launch-index\nhostname\ninstance-id\ninstance-type\nlocal-hostname\nlocal-ipv4\nmac\n\
                 network/\nplacement/\npublic-keys/",
            ),
            ("meta-data/public-keys/", "0=busbar"),
            ("meta-data/public-keys/0", "openssh-key"),
            (
                "meta-data/public-keys/0/openssh-key",
                "ssh-ed25519 AAAA9 a@b\nssh-ed25519 BBBB c@d",
            ),
            ("meta-data/local-ipv4/", "10.77.0.9"),
            ("meta-data/network/interfaces/macs/", "52:54:00:00:00:09/"),
            ("//meta-data//mac", "52:54:00:00:00:09"),
            (
                "meta-data/network/interfaces/macs/52:54:00:00:00:09/subnet-ipv4-cidr-block",
                "10.77.0.0/24",
            ),
            ("dynamic/instance-identity", "document"),
        ] {
            assert_eq!(read(path).as_deref(), Some(want), "{path}");
        }
        for path in [
            "meta-data/nothing",
            "meta-data/mac/x",
            "meta-data/..",
            "user-data/x",
            "0=busbar",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }

    #[test]
    fn without_keys_and_user_data_neither_is_listed() {
        let mut bare = instance(9);
        bare.ssh_keys.clear();
        bare.user_data = None;
        let tree = tree(&bare);
        assert!(tree.find("user-data").is_none());
        assert!(!tree.find("meta-data").unwrap().text().contains("public-keys"));
    }

    /// Walks as cloud-init does, and returns how many values it read.
    fn crawl(root: &Node, at: &str) -> usize {
        let listing = root.find(at).unwrap_or_else(|| panic!("{at} is listed but missing"));
        let Node::Dir(_) = listing else { return 1 };
        listing
            .text()
            .lines()
            .map(|line| {
                crawl(
                    root,
                    &format!("{at}/{}", line.split_once('=').map_or(line, |(index, _)| index)),
                )
            })
            .sum()
    }

    #[test]
    fn everything_that_is_listed_can_be_read() {
        assert_eq!(crawl(&tree(&instance(9)), ""), 21);
    }

    #[test]
    fn subnets_of_every_length_are_written() {
        let address = Ipv4Addr::new(10, 77, 1, 9);
        for (prefix, want) in [
            (0, "0.0.0.0/0"),
            (16, "10.77.0.0/16"),
            (32, "10.77.1.9/32"),
            (200, "10.77.1.9/32"),
        ] {
            assert_eq!(subnet(address, prefix), want);
        }
    }

    proptest! {
        #[test]
        fn no_path_panics(path in ".{0,120}") {
            let _ = read(&path);
        }
    }
}
