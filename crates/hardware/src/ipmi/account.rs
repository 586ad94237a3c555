//! The account that the driver logs in with, and its password (IPMI 2.0 §22.26 to §22.30).

use crate::error::Error;
use crate::found::Receipt;
use crate::ipmi::client::Client;
use crate::ipmi::command;
use crate::ipmi::crypt::PASSWORD;
use crate::ipmi::session::padded;
use crate::permit::{Credential, Permit};

/// Users that a BMC can have.
const USERS: u8 = 63;
/// What is done with a password.
const SET: u8 = 0x02;
const TEST: u8 = 0x03;
/// The password has 20 bytes, not 16.
const LONG: u8 = 0x80;

/// The number of the user named `name`.
async fn user(client: &Client, name: &str) -> Result<u8, Error> {
    let access = client.get(command::USER_ACCESS, &[0x0e, 1]).await?;
    let count = access.first().map_or(0, |n| n & 0x3f).min(USERS);
    for id in 1..=count {
        let answer = client.ask(command::USER_NAME, &[id]).await?;
        let end = answer.data.iter().position(|b| *b == 0).unwrap_or(answer.data.len());
        if answer.code == 0 && answer.data[..end] == *name.as_bytes() {
            return Ok(id);
        }
    }
    Err(client.lacks(&format!("a user named {name} in its list")))
}

/// Gives the account in use another password, and uses it from then on.
pub async fn set_password(client: &Client, new: &str, permit: &Permit) -> Result<Receipt, Error> {
    client.gate(command::SET_PASSWORD)?;
    if new.is_empty() || new.len() > PASSWORD || new.contains('\0') {
        return Err(client.lacks(&format!("such a password; it takes 1 to {PASSWORD} bytes")));
    }
    let old = client.credential();
    let id = user(client, &old.user).await?;
    // Room of 20 bytes is used only by a password that needs it: the shorter one is known to more BMCs, and to all of
    // their users of IPMI 1.5.
    let long = new.len() > 16;
    let stored = padded(new);
    let with = |operation: u8| {
        let mut data = vec![if long { id | LONG } else { id }, operation];
        data.extend_from_slice(&stored[..if long { PASSWORD } else { 16 }]);
        data
    };
    let credential = Credential {
        user: old.user.clone(),
        password: new.to_owned(),
    };
    match client.order(command::SET_PASSWORD, &with(SET), permit).await {
        Ok(answer) => {
            client.accepted(command::SET_PASSWORD, answer)?;
            // Some store less than was sent; what a login with it would cost in lock-outs, a test does not.
            let test = client.order(command::SET_PASSWORD, &with(TEST), permit).await?;
            if matches!(test.code, 0x80 | 0x81) {
                let words = "it took the password, but does not hold it";
                return Err(client.rejected_as(command::SET_PASSWORD, test.code, words));
            }
            client.set_credential(credential);
            client.hang_up().await;
            Ok(Receipt::Done)
        }
        // Whether it was set is open: a session opened with the new one tells, then one with the old one.
        Err(e @ Error::Timeout { .. }) => {
            for (tried, receipt) in [(credential, Ok(Receipt::Done)), (old, Err(e))] {
                client.set_credential(tried);
                client.hang_up().await;
                match client.get(command::DEVICE_ID, &[]).await {
                    Err(Error::Unauthorized { .. }) => {}
                    _ => return receipt,
                }
            }
            Err(client.lacks("a login with the old or the new password"))
        }
        Err(e) => Err(e),
    }
}
