//! Names of objects in the store: `kind/name`. One list, so that no two things share a key.

use rack::{Mac, Name, NodeId, Place};

/// A node by identity.
pub fn node(id: &NodeId) -> String {
    format!("node/{id}")
}

/// A machine by name.
pub fn machine(name: &Name) -> String {
    format!("machine/{name}")
}

/// An image by name.
pub fn image(name: &Name) -> String {
    format!("image/{name}")
}

/// A BMC that is watched, by the host and port of its URL.
pub fn bmc(url: &str) -> String {
    format!("bmc/{}", service(url))
}

/// The SSH host key of the service at a URL.
pub fn host_key(url: &str) -> String {
    format!("hostkey/{}", service(url))
}

/// A service by the host and port of its URL, without slashes.
pub fn service(url: &str) -> String {
    url.chars()
        .map(|c| if c.is_ascii_graphic() && c != '/' { c } else { '_' })
        .collect()
}

/// A device that is no machine.
pub fn device(place: &Place) -> String {
    format!("device/{place}")
}

/// What a rack should be.
pub fn intent(rack: &Name) -> String {
    format!("intent/{rack}")
}

/// Since when a rack is not as it should be.
pub fn drift(rack: &Name) -> String {
    format!("drift/{rack}")
}

/// What a node was made of when someone last agreed to it.
pub fn baseline(id: &NodeId) -> String {
    format!("baseline/{id}")
}

/// What is taken from the machine on a node so that nothing trips.
pub fn shed(id: &NodeId) -> String {
    format!("shed/{id}")
}

/// What is wanted of a node beyond machines.
pub fn setting(id: &NodeId) -> String {
    format!("setting/{id}")
}

/// A firmware rollout by name.
pub fn rollout(name: &Name) -> String {
    format!("rollout/{name}")
}

/// A sealed credential.
pub fn credential(name: &Name) -> String {
    format!("credential/{name}")
}

/// A token by name.
pub fn token(name: &Name) -> String {
    format!("token/{name}")
}

/// A browser's session by the fingerprint of its secret.
pub fn session(mark: &str) -> String {
    format!("session/{mark}")
}

/// An address lease by MAC.
pub fn lease(mac: Mac) -> String {
    format!("lease/{mac}")
}

/// The reservation of an address, so that two leases never share one.
pub fn address(address: std::net::Ipv4Addr) -> String {
    format!("address/{address}")
}

/// The proof of a wipe.
pub fn proof(machine: &rack::Machine) -> String {
    format!("proof/{}-{}", machine.name, machine.uid.simple())
}

/// An event by its place in the order.
pub fn event(sequence: u64) -> String {
    format!("event/{sequence:016}")
}
