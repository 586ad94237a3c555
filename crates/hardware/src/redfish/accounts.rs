//! The account that the driver logs in with, and another password for it.

use serde_json::json;

use crate::error::Error;
use crate::found::Receipt;
use crate::permit::Permit;
use crate::redfish::Redfish;
use crate::redfish::json::{link, list};

/// Accounts looked through; BMCs have up to 17.
const ACCOUNTS: usize = 64;

impl Redfish {
    /// The path of the accounts: told by their service, which only those who are let in may read (DSP0266).
    pub(crate) async fn accounts_path(&self) -> Result<String, Error> {
        let root = self.root().await?;
        let lacks = || self.client.not_offered("accounts", Vec::new());
        let service = link(&root["AccountService"]).ok_or_else(lacks)?;
        link(&self.client.get(&service).await?.body["Accounts"]).ok_or_else(lacks)
    }

    /// The path of the own account.
    async fn own_account(&self) -> Result<String, Error> {
        let accounts = self.accounts_path().await?;
        let user = self.client.user();
        let mut problem = None;
        for path in list(&self.client.get(&accounts).await?.body["Members"])
            .iter()
            .filter_map(link)
            .take(ACCOUNTS)
        {
            match self.client.get(&path).await {
                Ok(answer) if answer.body["UserName"].as_str() == Some(user.as_str()) => return Ok(path),
                Ok(_) => {}
                Err(e) => problem = Some(e),
            }
        }
        Err(problem.unwrap_or_else(|| self.client.not_offered(&format!("an account of `{user}`"), Vec::new())))
    }

    /// See [`crate::capability::Accounts::set_password`].
    pub async fn set_password(&self, new: &str, permit: &Permit) -> Result<Receipt, Error> {
        let path = self.own_account().await?;
        let etag = self.client.get(&path).await?.etag();
        let body = json!({ "Password": new });
        match self.client.patch(&path, &body, etag.as_deref(), permit).await {
            Ok(_) => {
                self.client.use_password(new);
                Ok(Receipt::Done)
            }
            // The answer got lost: the one of the two that is let in tells what became of it.
            Err(e @ (Error::Timeout { .. } | Error::Unreachable { .. })) => {
                let old = self.client.use_password(new);
                match self.client.get(&path).await {
                    Ok(_) => Ok(Receipt::Done),
                    Err(_) => {
                        self.client.use_password(&old);
                        Err(e)
                    }
                }
            }
            Err(e) => Err(e),
        }
    }
}
