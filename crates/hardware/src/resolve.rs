//! Addresses of names, asked of the name servers that the system is set to: a static binary has no `getaddrinfo`.

use std::io;
use std::net::IpAddr;

/// All addresses of a name, those of IPv4 first: many BMCs speak nothing else.
pub(crate) async fn all(name: &str) -> io::Result<Vec<IpAddr>> {
    let resolver = hickory_resolver::TokioResolver::builder_tokio()
        .and_then(|builder| builder.build())
        .map_err(io::Error::other)?;
    let found = resolver.lookup_ip(name).await.map_err(io::Error::other)?;
    let mut all: Vec<IpAddr> = found.iter().collect();
    all.sort_by_key(IpAddr::is_ipv6);
    Ok(all)
}

/// The first of [`all`].
pub(crate) async fn first(name: &str) -> io::Result<IpAddr> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    all(name).await?.into_iter().next().ok_or_else(none)
}
