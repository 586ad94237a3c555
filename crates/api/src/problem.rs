//! Every way to be refused: one table of codes, and RFC 9457 documents made from it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use control::HouseError;
use control::power::FAILABLE as WHATIF;
use plan::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A code that stays the same for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `BB0401`
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What the command line exits with.
    pub exit: u8,
    /// A few words.
    pub title: &'static str,
    /// What `busbar explain` says.
    pub explain: &'static str,
}

macro_rules! codes {
    ($($code:literal $status:literal $exit:literal $title:literal $explain:literal;)*) => {
        &[$(Code { code: $code, status: $status, exit: $exit, title: $title, explain: $explain }),*]
    };
}

/// Every code, in order.
pub const CODES: &[Code] = codes! {
    "BB0101" 400 2 "The request makes no sense"
        "The request can't be read or contradicts itself. The detail names the field. Nothing was changed.";
    "BB0102" 413 2 "The request is too large"
        "A body may hold 1 MiB. User data may hold 256 KiB; put larger things on a server and fetch them at first boot.";
    "BB0201" 401 8 "No valid token"
        "Every request needs `Authorization: Bearer TOKEN`. The token is in the context file that `busbar up` wrote (`busbar token show-context`); it may have been revoked. A browser logs in once by the link of `busbar token show-context --link`, for twelve hours.";
    "BB0202" 403 8 "The token may not do this"
        "Readers look; operators also run and release machines and add images; admins also arm, discover, and keep credentials and tokens. Ask an admin for `busbar token make NAME --role ROLE`.";
    "BB0203" 403 8 "The request may not be meant"
        "A browser sends the console's cookie with every request, whoever wrote the page. What changes something needs the header `X-Busbar: console`, which pages of other origins can't send, and an `Origin` that is the daemon's own. Scripts use `Authorization: Bearer TOKEN`.";
    "BB0301" 404 3 "Not found"
        "There is no such thing. Names are exact and in lower case. `busbar ls`, `busbar ps` and `busbar image ls` show what there is.";
    "BB0401" 409 4 "It does not fit"
        "No node has what was asked for and is armed, free, clean and not cordoned. Each candidate is listed with what ruled it out, and the smallest changes that would make it fit. With `--wait 10m` the request waits for parts instead. Nothing was changed.";
    "BB0402" 409 5 "Conflict"
        "The name is taken, or the thing was changed by someone else meanwhile, or its state does not allow this now. Look again, then decide anew.";
    "BB0403" 403 8 "Policy forbids it"
        "Busbar only reads a rack until it is armed, never gives out a node that may hold another's data, and never removes what is in use. The hint names the command that changes that.";
    "BB0405" 405 2 "The path does not take this method"
        "The API is described at /v1/openapi.json.";
    "BB0501" 502 9 "Hardware did not answer"
        "The BMC did not answer, or not as it should. `busbar doctor` checks reach, certificates and clocks. Nothing was changed on our side.";
    "BB0502" 500 1 "It was tried and failed"
        "The detail says what was tried, on what and how it failed; the hint says what to do next.";
    "BB0503" 504 6 "No answer in time"
        "The work may still go on: look with `busbar ps` and `busbar dmesg` before repeating it.";
    "BB0504" 507 1 "The state can't be written"
        "The store is full, damaged or gone. Reading goes on and machines keep running. `busbar doctor` and the daemon's log say more; `df -h` shows whether the disk is full.";
    "BB0601" 503 9 "The daemon does not answer"
        "No busbar daemon answers at the address in the context file. Start it with `busbar up` (or `busbar up --emulate` to try it without hardware), or name another with --url.";
};

/// The row of a code; the row for failures when there is none.
pub fn code(code: &str) -> &'static Code {
    find(code).unwrap_or(&FAILED)
}

/// The row of a code.
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|c| c.code.eq_ignore_ascii_case(code))
}

static FAILED: Code = Code {
    code: "BB0502",
    status: 500,
    exit: 1,
    title: "It was tried and failed",
    explain: "The detail says what was tried.",
};

/// An error as it is answered: RFC 9457, with a code, the next command, and for refusals the candidates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// A few words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// Stable; `busbar explain CODE` tells more.
    pub code: String,
    /// The next command.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// Each candidate and what ruled it out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<Refusal>,
}

impl Problem {
    /// A problem of this code.
    pub fn new(number: &str, detail: impl Into<String>) -> Problem {
        let row = code(number);
        Problem {
            kind: format!("urn:busbar:{}", row.code.to_ascii_lowercase()),
            title: row.title.into(),
            status: row.status,
            detail: detail.into(),
            code: row.code.into(),
            hint: None,
            refusal: None,
        }
    }

    /// With the next command.
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// There is no such thing.
    pub fn not_found(kind: &str, name: &str) -> Problem {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
        Problem::new("BB0301", format!("there is no {kind} `{shown}`"))
    }

    /// What the command line exits with.
    pub fn exit(&self) -> u8 {
        code(&self.code).exit
    }
}

impl From<HouseError> for Problem {
    fn from(error: HouseError) -> Problem {
        let text = error.to_string();
        match error {
            HouseError::NotFound { kind, name } => {
                let hint = match kind {
                    "machine" | "machine or place" | "machine, node or PDU" => "busbar ps",
                    "image" => "busbar image ls",
                    "token" => "busbar token ls",
                    WHATIF => {
                        "busbar ls shows boxes and PDUs; feeds are not written down: name all PDUs on one, as in `busbar whatif fail r1/pdu-a r1/pdu-c`"
                    }
                    _ => "busbar ls",
                };
                Problem::not_found(kind, &name).hint(hint)
            }
            HouseError::Refused(refusal) => Problem {
                refusal: Some(*refusal),
                ..Problem::new("BB0401", text)
            },
            HouseError::Conflict { .. } => Problem::new("BB0402", text),
            HouseError::Invalid { .. } => Problem::new("BB0101", text),
            HouseError::Policy { hint, .. } => Problem::new("BB0403", text).hint(hint),
            HouseError::Unreachable(_) => Problem::new("BB0501", text).hint("busbar doctor"),
            HouseError::Store(_) => Problem::new("BB0504", text).hint("busbar doctor"),
            HouseError::Failed { hint, .. } => Problem::new("BB0502", text).hint(hint),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = (status, Json(self)).into_response();
        let headers = answer.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6750 §3
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"busbar\""),
            );
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(CODES.windows(2).all(|w| w[0].code < w[1].code));
    }

    #[test]
    fn a_refusal_says_its_code_and_exit() {
        let refusal = Refusal {
            headline: "no node fits".into(),
            candidates: vec![],
            fits_if: vec![],
        };
        let problem = Problem::from(HouseError::Refused(Box::new(refusal)));
        assert_eq!(
            (problem.status, problem.exit(), problem.code.as_str()),
            (409, 4, "BB0401")
        );
        let json = serde_json::to_string(&problem).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&json).unwrap(), problem);
    }

    #[test]
    fn an_unauthorized_answer_says_how_to_authenticate() {
        let answer = Problem::new("BB0201", "no token").into_response();
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key(header::WWW_AUTHENTICATE));
    }
}
