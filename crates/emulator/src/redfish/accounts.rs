//! The account service: who may log in, and as what (DSP0266 §13). Passwords are never shown; a rack that
//! keeps its state keeps them beside it, as a BMC's flash does.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use axum::response::Response;
use http::{Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::act::{done, unknown, word, wrong};
use super::{Answer, at, collection, document, error, fine, missing, plain, put};
use crate::emulated::{Bmc, Emulated};

const ACCOUNTS: &str = "/redfish/v1/AccountService/Accounts";
/// Accounts at once, as IPMI's tables have it.
const MOST: usize = 16;
/// Lengths of passwords; the least is that of the initial ones, which others choose.
const PASSWORD: std::ops::RangeInclusive<usize> = 1..=64;
/// Longest user name.
const NAME: usize = 32;

/// The standard roles (DSP0266 §13.2).
const ROLES: [(&str, &[&str]); 3] = [
    (
        "Administrator",
        &[
            "Login",
            "ConfigureManager",
            "ConfigureUsers",
            "ConfigureSelf",
            "ConfigureComponents",
        ],
    ),
    ("Operator", &["Login", "ConfigureSelf", "ConfigureComponents"]),
    ("ReadOnly", &["Login", "ConfigureSelf"]),
];

/// One account. The password is never printed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) role: String,
    pub(crate) enabled: bool,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user", &self.user)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Where accounts are kept, when anything is.
fn kept(rack: &Emulated) -> Option<PathBuf> {
    rack.config
        .state
        .as_ref()
        .map(|path| path.with_file_name("accounts.json"))
}

fn bmcs(rack: &Emulated) -> impl Iterator<Item = Bmc> {
    let servers = (0..rack.servers.len()).map(Bmc::Server);
    let pdus = (0..rack.pdus.len()).map(Bmc::Pdu);
    let equipment = (0..rack.equipment.len()).map(Bmc::Equipment);
    servers.chain(pdus).chain(equipment)
}

/// Writes down the accounts of every BMC, whole or not at all, for the owner's eyes only.
fn save(rack: &Emulated) {
    let Some(path) = kept(rack) else { return };
    let all: HashMap<String, Vec<Account>> = bmcs(rack)
        .map(|bmc| (rack.address(bmc).to_string(), rack.core(bmc).accounts()))
        .collect();
    let written = serde_json::to_vec(&all).map_err(std::io::Error::from).and_then(|text| {
        let _one = rack.one_saves();
        let new = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&text)?;
        std::fs::rename(&new, &path)
    });
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "the emulated BMCs' accounts can't be saved");
    }
}

/// Gives every BMC the accounts that it had.
pub(crate) fn restore(rack: &Emulated) {
    let text = kept(rack).and_then(|path| std::fs::read(path).ok());
    let all = text.and_then(|text| serde_json::from_slice::<HashMap<String, Vec<Account>>>(&text).ok());
    let Some(mut all) = all else { return };
    for bmc in bmcs(rack) {
        if let Some(accounts) = all.remove(&rack.address(bmc).to_string()) {
            rack.core(bmc).set_accounts(accounts);
        }
    }
}

impl Account {
    fn can(&self, privilege: &str) -> bool {
        let role = ROLES.iter().find(|r| r.0 == self.role);
        role.is_some_and(|r| r.1.contains(&privilege))
    }

    /// Whether a request that changes something is this account's to make (after DSP8011, the standard privilege mapping).
    pub(crate) fn may(&self, segments: &[&str]) -> bool {
        match segments {
            ["AccountService", "Accounts", id] if *id == self.id.to_string() => true,
            ["AccountService", ..] => self.can("ConfigureUsers"),
            ["SessionService", "Sessions", ..] => true,
            ["SessionService"] | ["Managers", ..] | ["EventService", ..] => self.can("ConfigureManager"),
            _ => self.can("ConfigureComponents"),
        }
    }
}

pub(super) fn get(rack: &Emulated, bmc: Bmc, segments: &[&str]) -> Option<Value> {
    let core = rack.core(bmc);
    Some(match segments {
        [] => json!({
            "@odata.type": "#AccountService.v1_13_0.AccountService",
            "Id": "AccountService", "Name": "Account Service", "Status": fine(), "ServiceEnabled": true,
            "MinPasswordLength": PASSWORD.start(), "MaxPasswordLength": PASSWORD.end(),
            "Accounts": at(ACCOUNTS), "Roles": at("/redfish/v1/AccountService/Roles"),
        }),
        ["Accounts"] => {
            let all = core.accounts();
            collection(
                "ManagerAccountCollection",
                "Accounts",
                all.iter().map(|a| format!("{ACCOUNTS}/{}", a.id)),
            )
        }
        ["Accounts", id] => {
            let account = core.accounts().into_iter().find(|a| a.id.to_string() == *id)?;
            json!({
                "@odata.type": "#ManagerAccount.v1_10_0.ManagerAccount",
                "Id": id, "Name": "User Account", "UserName": account.user, "Password": null, "RoleId": account.role,
                "AccountTypes": ["Redfish"], "Enabled": account.enabled, "Locked": false,
                "Links": {"Role": at(format!("/redfish/v1/AccountService/Roles/{}", account.role))},
            })
        }
        ["Roles"] => collection(
            "RoleCollection",
            "Roles",
            ROLES.map(|r| format!("/redfish/v1/AccountService/Roles/{}", r.0)),
        ),
        ["Roles", id] => {
            let (id, privileges) = ROLES.into_iter().find(|r| r.0 == *id)?;
            json!({
                "@odata.type": "#Role.v1_3_1.Role",
                "Id": id, "Name": id, "RoleId": id, "IsPredefined": true, "AssignedPrivileges": privileges,
            })
        }
        _ => return None,
    })
}

pub(super) fn act(
    rack: &Arc<Emulated>,
    bmc: Bmc,
    method: &Method,
    path: &str,
    id: Option<&str>,
    body: &Value,
    by: Option<&Account>,
) -> Answer {
    let core = rack.core(bmc);
    let mut all = core.accounts();
    let Some(id) = id else {
        let mut account = Account {
            id: (1..).find(|n| all.iter().all(|a| a.id != *n)).unwrap_or_default(),
            user: word(body, "UserName")?.to_string(),
            password: word(body, "Password")?.to_string(),
            role: word(body, "RoleId")?.to_string(),
            enabled: true,
        };
        if all.len() >= MOST {
            let text = "There are as many accounts as this service has room for.";
            return Err(error(
                StatusCode::BAD_REQUEST,
                "CreateLimitReachedForResource",
                text,
                &[],
            ));
        }
        change(&mut account, body.as_object().unwrap_or(&Map::new()), &all)?;
        let path = format!("{ACCOUNTS}/{}", account.id);
        all.push(account);
        core.set_accounts(all);
        save(rack);
        let mut response = plain(&document(rack, bmc, &path).unwrap_or_default());
        *response.status_mut() = StatusCode::CREATED;
        put(&mut response, header::LOCATION, &path);
        return Ok(response);
    };
    let n = all.iter().position(|a| a.id.to_string() == id);
    let n = n.ok_or_else(|| missing(path))?;
    let administrators = |all: &[Account]| all.iter().filter(|a| a.enabled && a.can("ConfigureUsers")).count();
    let map = body.as_object().cloned().unwrap_or_default();
    if *method == Method::DELETE {
        all.remove(n);
    } else {
        if !by.is_some_and(|b| b.can("ConfigureUsers")) && map.keys().any(|k| k != "Password") {
            return Err(denied());
        }
        let others: Vec<Account> = all.iter().filter(|a| a.id.to_string() != id).cloned().collect();
        change(&mut all[n], &map, &others)?;
    }
    if administrators(&all) == 0 {
        let text = "The last administrator can neither be taken away nor lose its role.";
        return Err(error(StatusCode::BAD_REQUEST, "OperationNotAllowed", text, &[]));
    }
    core.set_accounts(all);
    save(rack);
    if *method == Method::DELETE {
        return done();
    }
    Ok(plain(&document(rack, bmc, path).unwrap_or_default()))
}

/// Refused to who is known.
pub(super) fn denied() -> Response {
    let text = "There are insufficient privileges for the account to perform the requested operation.";
    error(StatusCode::FORBIDDEN, "InsufficientPrivilege", text, &[])
}

/// All of it or, at the first thing that is wrong, nothing.
fn change(account: &mut Account, wanted: &Map<String, Value>, others: &[Account]) -> Result<(), Response> {
    if wanted.keys().all(|k| k.starts_with('@')) {
        let text = "There is nothing to change.";
        return Err(error(StatusCode::BAD_REQUEST, "NoOperation", text, &[]));
    }
    let mut new = account.clone();
    for (key, value) in wanted.iter().filter(|(k, _)| !k.starts_with('@')) {
        match (key.as_str(), value) {
            ("UserName", Value::String(name))
                if (1..=NAME).contains(&name.len())
                    && !name.contains(':')
                    && others.iter().all(|o| o.user != *name) =>
            {
                new.user = name.clone();
            }
            ("Password", Value::String(secret)) if PASSWORD.contains(&secret.len()) => new.password = secret.clone(),
            // a refused password is not said back
            ("Password", _) => return Err(wrong("Password", &Value::Null)),
            ("RoleId", Value::String(role)) if ROLES.iter().any(|r| r.0 == role) => new.role = role.clone(),
            ("Enabled", Value::Bool(enabled)) => new.enabled = *enabled,
            ("UserName" | "RoleId" | "Enabled", _) => return Err(wrong(key, value)),
            _ => return Err(unknown(key)),
        }
    }
    *account = new;
    Ok(())
}
