//! The log that a box keeps itself, bounded: the newest entries and never the whole. A journal of one measured BMC would
//! take 60,000 requests.

use rack::node::BmcAddress;
use rack::{Health, Time};
use serde_json::Value;

use crate::capability::LogEntry;
use crate::error::Error;
use crate::redfish::Redfish;
use crate::redfish::json::{at, count, last, link, list, text, truth};

/// Most entries of one answer.
pub const MOST: usize = 200;
/// Log services looked at of one owner.
const SERVICES: usize = 16;
/// Pages followed where a service does not let the newest be asked for.
const PAGES: usize = 4;
/// Entries read one by one where a collection holds only links.
const SINGLES: usize = 50;

/// How likely a log service holds what someone wants to know of the hardware; zero is never read.
fn rank(path: &str, doc: &Value) -> u8 {
    let name = format!(
        "{} {}",
        last(path).to_ascii_lowercase(),
        text(&doc["Name"]).unwrap_or_default().to_ascii_lowercase()
    );
    let any = |words: &[&str]| words.iter().any(|w| name.contains(w));
    if any(&[
        "journal",
        "dump",
        "crash",
        "postcode",
        "post code",
        "debug",
        "fdr",
        "diag",
        "hostlogger",
        "console",
    ]) {
        return 0;
    }
    match (doc["LogEntryType"].as_str(), name) {
        (Some("SEL"), _) => 6,
        (_, n) if n.split(' ').any(|w| w == "sel") => 6,
        (_, n) if n.contains("iml") || n.contains("iel") => 5,
        (_, n) if n.contains("event") => 4,
        (_, n) if n.contains("audit") || n.contains("security") => 1,
        (Some("Event"), _) => 3,
        _ => 2,
    }
}

/// One entry; nothing when it says nothing.
fn entry(path: &str, doc: &Value) -> Option<LogEntry> {
    let message = text(&doc["Message"]).or_else(|| text(&doc["Name"]))?;
    let severity = match doc["Severity"].as_str().or_else(|| doc["MessageSeverity"].as_str()) {
        Some("OK") => Health::Ok,
        Some("Warning") => Health::Warning,
        Some("Critical") => Health::Critical,
        _ => Health::Unknown,
    };
    let stamp = |name: &str| text(&doc[name]).and_then(|t| time(&t));
    Some(LogEntry {
        id: text(&doc["Id"]).unwrap_or_else(|| last(path).to_owned()),
        at: stamp("EventTimestamp").or_else(|| stamp("Created")),
        severity,
        message,
        message_id: text(&doc["MessageId"]),
    })
}

/// A time as BMCs write it: RFC 3339, or without a zone, which is taken as UTC. A clock that was never set says nothing.
pub(crate) fn time(text: &str) -> Option<Time> {
    let parsed = text
        .parse::<jiff::Timestamp>()
        .or_else(|_| format!("{}Z", text.trim_end_matches('Z')).parse::<jiff::Timestamp>())
        .ok()?;
    /// Before this a BMC's clock runs from its own birth.
    const SET: i64 = 946_684_800;
    (parsed.as_second() > SET).then(|| Time::from_millis(parsed.as_millisecond()))
}

/// Newest first: by time, else by the number that the box gave.
fn sort(entries: &mut Vec<LogEntry>) {
    let number = |e: &LogEntry| {
        e.id.rsplit(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|n| n.parse::<u64>().ok())
    };
    entries.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| number(b).cmp(&number(a))));
    entries.dedup_by(|a, b| a.id == b.id && a.message == b.message);
}

impl Redfish {
    /// Where the entries are that are worth reading: of the system first, then its manager, then its chassis.
    async fn log_of(&self, at_: &BmcAddress) -> Result<String, Error> {
        let mut best: Option<(u8, String)> = None;
        for owner in [Some(&at_.system), at_.manager.as_ref(), at_.chassis.as_ref()]
            .into_iter()
            .flatten()
        {
            let Some(services) = link(&self.client.get(owner).await?.body["LogServices"]) else {
                continue;
            };
            // One service that can't be read costs nothing but itself.
            let Ok(collection) = self.client.get(&services).await else {
                continue;
            };
            for path in list(&collection.body["Members"]).iter().filter_map(link).take(SERVICES) {
                let Ok(service) = self.client.get(&path).await else {
                    continue;
                };
                let Some(entries) = link(&service.body["Entries"]) else {
                    continue;
                };
                let rank = rank(&path, &service.body);
                if rank > best.as_ref().map_or(0, |b| b.0) {
                    best = Some((rank, entries));
                }
            }
        }
        best.map(|b| b.1)
            .ok_or_else(|| self.client.not_offered("a log", Vec::new()))
    }

    /// See [`crate::capability::EventLog::entries`].
    pub async fn log_entries(&self, at_: &BmcAddress, most: usize) -> Result<Vec<LogEntry>, Error> {
        let most = most.clamp(1, MOST);
        let path = self.log_of(at_).await?;
        let root = self.root().await?;
        let asks = truth(at(&root, "ProtocolFeaturesSupported/TopSkipQuery")) == Some(true);
        let mut pages = Vec::new();
        if asks && let Ok(first) = self.client.get(&format!("{path}?$top={most}")).await {
            let total = count(&first.body["Members@odata.count"]).unwrap_or(0) as usize;
            pages.push(first.body);
            // Some list the oldest first: the newest are at the other end then.
            if total > most {
                let skip = total - most;
                let end = self.client.get(&format!("{path}?$skip={skip}&$top={most}")).await;
                pages.extend(end.map(|a| a.body));
            }
        }
        let mut next = pages.is_empty().then(|| path.clone());
        for _ in 0..PAGES {
            let Some(page) = next.take() else { break };
            let doc = self.client.get(&page).await?.body;
            next = link(&doc["Members@odata.nextLink"]);
            pages.push(doc);
        }
        let mut entries = Vec::new();
        let mut singles = Vec::new();
        for page in &pages {
            for member in list(&page["Members"]) {
                let of = link(member).unwrap_or_default();
                match entry(&of, member) {
                    Some(e) => entries.push(e),
                    None if !of.is_empty() => singles.push(of),
                    None => {}
                }
            }
        }
        singles.dedup();
        for path in singles.iter().rev().take(SINGLES.min(most)) {
            if let Ok(answer) = self.client.get(path).await {
                entries.extend(entry(path, &answer.body));
            }
        }
        sort(&mut entries);
        entries.truncate(most);
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_journal_and_dumps_are_never_read() {
        for (path, name) in [
            ("x/Journal", ""),
            ("x/Dump", "BMC Dump"),
            ("x/PostCodes", ""),
            ("x/CrashdumpLog", ""),
        ] {
            assert_eq!(rank(path, &json!({ "Name": name })), 0, "{path}");
        }
        assert!(rank("x/Sel", &json!({})) > rank("x/Lclog", &json!({"LogEntryType": "Event"})));
        assert!(rank("x/EventLog", &json!({})) > rank("x/AuditLog", &json!({})));
    }

    #[test]
    fn times_are_read_as_bmcs_write_them_and_an_unset_clock_says_nothing() {
        assert!(time("2024-05-01T10:00:00+02:00").is_some());
        assert_eq!(time("2024-05-01T10:00:00"), time("2024-05-01T10:00:00Z"));
        for odd in ["0000-00-00T00:00:00Z", "1970-01-01T00:01:02Z", "yesterday", ""] {
            assert_eq!(time(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_newest_comes_first_by_time_or_number() {
        let e = |id: &str, at: Option<&str>| LogEntry {
            id: id.into(),
            at: at.and_then(time),
            severity: Health::Ok,
            message: id.into(),
            message_id: None,
        };
        let mut all = vec![
            e("9", None),
            e("10", None),
            e("1", Some("2024-01-01T00:00:00Z")),
            e("2", Some("2025-01-01T00:00:00Z")),
        ];
        sort(&mut all);
        let ids: Vec<&str> = all.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids, ["2", "1", "10", "9"]);
    }
}
