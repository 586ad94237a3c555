//! Rack PDUs over SNMP (v2c: RFC 3416; v3: RFC 3414, RFC 3826, RFC 7860).
//!
//! Below [`Pdu`]: [`agent`] is the seam that a simulation can replace, [`udp`] the real one; [`client`] asks with
//! patience and holds writes back; [`profile`] reads what is known of makers (`pdus.toml`: no maker is named in code);
//! [`survey`] makes units, outlets and readings of what was read, and [`outlets`] switches.
//!
//! An address is `snmp://host` or `snmp://host:port`, by default port 161. What a credential means:
//!
//! | user | password | spoken |
//! |---|---|---|
//! | empty, or `community` | the community | SNMPv2c, in the clear |
//! | another | one passphrase | SNMPv3, authenticated by SHA-256 (or SHA-1, where the agent knows no better) and encrypted by AES-128, both with it |
//! | another | two passphrases with `::` between | the first one authenticates, the second one encrypts; nothing after `::` leaves it unencrypted |

pub mod agent;
pub mod client;
pub mod outlets;
pub mod profile;
pub mod survey;
pub mod udp;

use std::sync::{Arc, Mutex, PoisonError};

use rack::node::BmcAddress;
use rack::{Reading, Time};

use crate::capability::{self, Answer, Driver, OutletOrder};
use crate::error::Error;
use crate::found::{Found, Outlet, Receipt, reading};
use crate::line::{Line, host_and_port};
use crate::permit::{Credential, Mode, Permit};
use crate::tally::Tally;
use agent::{Agent, Oid, Value};
use client::Client;
use profile::Profile;
use survey::Index;

/// `sysDescr`, `sysObjectID` and `sysName` (RFC 3418).
const DESCRIPTION: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 1, 0];
const OBJECT: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 2, 0];
const NAME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 5, 0];
/// Where agents listen (RFC 3417).
const PORT: u16 = 161;

/// One SNMP agent and the PDUs behind it: linked units share an address.
pub struct Pdu {
    client: Client,
    profile: Mutex<Option<&'static Profile>>,
}

impl Pdu {
    /// The PDUs at `url` (`snmp://host` or `snmp://host:port`). Nothing is sent before the first question.
    pub fn new(url: &str, credential: Credential, mode: Mode) -> Result<Pdu, Error> {
        let (host, port) = host_and_port(url, "snmp", PORT).ok_or_else(|| Error::Unreachable {
            address: url.to_owned(),
            path: "its agent".into(),
            why: "an address of SNMP is snmp://host or snmp://host:port".into(),
        })?;
        let agent = udp::UdpAgent::new(&host, port, credential);
        Ok(Pdu::with_agent(url, Box::new(agent), mode))
    }

    /// The same over another agent.
    pub fn with_agent(url: &str, agent: Box<dyn Agent>, mode: Mode) -> Pdu {
        Pdu {
            client: Client::new(url, agent, mode),
            profile: Mutex::default(),
        }
    }

    /// Has its exchanges counted.
    pub fn counted_by(self, tally: Arc<dyn Tally>) -> Pdu {
        self.client.line.counted_by(tally);
        self
    }

    /// Which family it is; found out once.
    async fn profile(&self) -> Result<&'static Profile, Error> {
        let known = *self.profile.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(p) => Ok(p),
            None => Ok(self.recognise().await?.0),
        }
    }

    /// Looks at what it is, and what it is called.
    async fn recognise(&self) -> Result<(&'static Profile, Option<String>), Error> {
        let [description, object, name] = [DESCRIPTION, OBJECT, NAME].map(|n| Oid::new(n.to_vec()));
        let (Some(description), Some(object), Some(name)) = (description, object, name) else {
            return Err(self.client.not_offered("SNMP", Vec::new()));
        };
        let got = self
            .client
            .get(&[description.clone(), object.clone(), name.clone()])
            .await?;
        let value = |oid: &Oid| got.iter().find(|(o, _)| o == oid).map(|(_, v)| v);
        let is = match value(&object) {
            Some(Value::Name(is)) => Some(is),
            _ => None,
        };
        let fits = |p: &&Profile| p.objects.iter().any(|o| is.is_some_and(|is| is.after(o).is_some()));
        // Some agents call themselves by the name of the software that they are made of: those are tried as well.
        let (fitting, others): (Vec<_>, Vec<_>) = profile::all().iter().partition(fits);
        for p in fitting.into_iter().chain(others) {
            if self.client.exists(&p.probe).await? {
                *self.profile.lock().unwrap_or_else(PoisonError::into_inner) = Some(p);
                return Ok((p, value(&name).and_then(Value::text)));
            }
        }
        let calls = value(&description).and_then(Value::text).unwrap_or_default();
        let is = is.map_or_else(|| "nothing".to_owned(), Oid::to_string);
        Err(self.client.not_offered(
            &format!("the objects of a known PDU (it calls itself `{calls}`, {is})"),
            profile::all().iter().map(|p| p.name.clone()).collect(),
        ))
    }

    /// See [`Driver::discover`].
    pub async fn discover(&self) -> Result<Found, Error> {
        let before = self.client.line.requests();
        let (p, name) = self.recognise().await?;
        let mut wanted = survey::unit_columns(&p.units);
        wanted.extend(survey::identity_columns(&p.units));
        wanted.extend(survey::measure_columns(p));
        if let Some(outlets) = &p.outlets {
            wanted.extend(survey::outlet_columns(outlets));
        }
        let (cells, problems) = self.client.read(wanted).await?;
        let units = survey::units(&p.units, &cells);
        let alone = units.len() == 1;
        let devices = units
            .iter()
            .map(|unit| {
                let mut device = survey::identify(p, &cells, unit, alone, name.clone());
                if let Some(outlets) = &p.outlets {
                    let rows = survey::rows(outlets, &cells, unit, alone);
                    device.outlets = rows.into_iter().map(|(_, outlet)| outlet).collect();
                }
                device
            })
            .collect();
        Ok(Found {
            systems: Vec::new(),
            devices,
            problems,
            requests: self.client.line.requests() - before,
        })
    }

    /// What the unit at `path` measures now.
    pub async fn readings(&self, path: &str, now: Time) -> Result<Vec<Reading>, Error> {
        let p = self.profile().await?;
        let mut wanted = survey::unit_columns(&p.units);
        wanted.extend(survey::measure_columns(p));
        let (cells, _) = self.client.read(wanted).await?;
        let units = survey::units(&p.units, &cells);
        let unit = self.unit(&units, path)?;
        let raw = survey::readings(p, &cells, unit, units.len() == 1);
        Ok(raw.into_iter().map(|r| reading(r, now)).collect())
    }

    fn unit<'a>(&self, units: &'a [Index], path: &str) -> Result<&'a Index, Error> {
        units.iter().find(|u| survey::path(u) == path).ok_or_else(|| {
            let have = units.iter().map(|u| survey::path(u)).collect();
            self.client.not_offered(&format!("a unit `{path}`"), have)
        })
    }
}

impl Driver for Pdu {
    fn line(&self) -> &Line {
        &self.client.line
    }

    fn discover(&self) -> Answer<'_, Found> {
        Box::pin(Pdu::discover(self))
    }

    fn sensors(&self) -> Option<&dyn capability::Sensors> {
        Some(self)
    }

    fn outlets(&self) -> Option<&dyn capability::Outlets> {
        Some(self)
    }
}

impl capability::Sensors for Pdu {
    fn readings<'a>(&'a self, at: &'a BmcAddress, now: Time) -> Answer<'a, Vec<Reading>> {
        Box::pin(Pdu::readings(self, &at.system, now))
    }
}

impl capability::Outlets for Pdu {
    fn outlets<'a>(&'a self, path: &'a str) -> Answer<'a, Vec<Outlet>> {
        Box::pin(Pdu::outlets(self, path))
    }

    fn switch<'a>(&'a self, path: &'a str, id: &'a str, order: OutletOrder, permit: &'a Permit) -> Answer<'a, Receipt> {
        Box::pin(self.switch_outlet(path, id, order, permit))
    }
}
