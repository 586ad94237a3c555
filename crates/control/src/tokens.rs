//! Users' tokens: made, listed, revoked, recognised. Only fingerprints are kept.

use rack::request::{NewToken, Role, TokenView, Who};
use rack::{Event, Level, Name};
use store::Txn;

use crate::House;
use crate::house::HouseError;
use crate::keys;
use crate::record::StoredToken;
use crate::secrets::{fingerprint, new_secret};

impl House {
    /// Who bears this token. The look-up is by the fingerprint of 256 random bits, so its timing tells nothing.
    pub fn who(&self, bearer: &str) -> Option<Who> {
        self.who_is(&fingerprint(bearer))
    }

    /// Who bears the token of this fingerprint, as long as there is one.
    pub fn who_is(&self, mark: &str) -> Option<Who> {
        self.record(|r| {
            r.tokens.get(mark).map(|t| Who {
                name: t.name.clone(),
                role: t.role,
            })
        })
    }

    /// A secret that nothing knows yet, and that is not kept.
    pub fn new_secret(&self) -> String {
        new_secret(|b| self.inner.env.random.fill(b))
    }

    /// Makes a token; its secret is in the answer and nowhere else.
    pub async fn make_token(&self, who: &Who, name: &Name, role: Role) -> Result<NewToken, HouseError> {
        let secret = new_secret(|b| self.inner.env.random.fill(b));
        let stored = StoredToken {
            name: name.clone(),
            role,
            created: self.now(),
            fingerprint: fingerprint(&secret),
        };
        let key = keys::token(name);
        let token = self
            .transact(|_| {
                if self.record(|r| r.tokens.values().any(|t| t.name == *name)) {
                    let what = format!(
                        "there is a token `{name}` already: busbar token revoke {name}, or choose another name"
                    );
                    return Err(HouseError::Conflict { what });
                }
                let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, &stored)?;
                let txn = self.tell(
                    txn,
                    &self.audit(who, format!("token {name}"), format!("made, {role:?}")),
                )?;
                Ok((txn, TokenView::from(&stored)))
            })
            .await?;
        Ok(NewToken { token, secret })
    }

    /// Every token.
    pub fn tokens(&self) -> Vec<TokenView> {
        let mut all: Vec<TokenView> = self.record(|r| r.tokens.values().map(|t| TokenView::from(t.as_ref())).collect());
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Revokes a token. The last one that may do everything stays, or nobody could make another.
    pub async fn revoke_token(&self, who: &Who, name: &Name) -> Result<(), HouseError> {
        let key = keys::token(name);
        self.transact(|_| {
            let (role, admins) = self.record(|r| {
                let role = r.tokens.values().find(|t| t.name == *name).map(|t| t.role);
                (role, r.tokens.values().filter(|t| t.role == Role::Admin).count())
            });
            match role {
                None => {
                    return Err(HouseError::NotFound {
                        kind: "token",
                        name: name.to_string(),
                    });
                }
                Some(Role::Admin) if admins == 1 => {
                    return Err(HouseError::Policy {
                        what: format!("`{name}` is the last token that may do everything"),
                        hint: "busbar token make NAME --role admin".into(),
                    });
                }
                Some(_) => {}
            }
            let txn = Txn::new().check(&key, self.unchanged(&key)).delete(&key);
            Ok((
                self.tell(txn, &self.audit(who, format!("token {name}"), "revoked"))?,
                (),
            ))
        })
        .await
    }

    /// An event that says what a user did.
    pub(crate) fn audit(&self, who: &Who, about: impl ToString, what: impl Into<String>) -> Event {
        Event {
            by: who.name.to_string(),
            ..self.event(Level::Audit, about, what)
        }
    }
}
