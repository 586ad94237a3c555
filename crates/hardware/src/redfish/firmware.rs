//! Firmware of everything behind a service, and updates of it: pulled by the BMC (`SimpleUpdate`) or pushed to it
//! (`MultipartHttpPushUri`, DSP0266 §12.3; else `HttpPushUri`). The task is followed, and what counts is the version that
//! is read back.

use bytes::Bytes;
use rack::node::Firmware;
use serde_json::{Value, json};

use crate::capability::FirmwareImage;
use crate::error::Error;
use crate::found::Receipt;
use crate::permit::Permit;
use crate::redfish::Redfish;
use crate::redfish::act::receipt;
use crate::redfish::crawl::Crawl;
use crate::redfish::json::{last, link, list, text, texts, truth};

/// One member of `FirmwareInventory`.
pub(crate) fn item(path: &str, doc: &Value) -> Firmware {
    Firmware {
        id: last(path).to_owned(),
        name: text(&doc["Name"]).unwrap_or_else(|| last(path).to_owned()),
        version: text(&doc["Version"]),
        updateable: truth(&doc["Updateable"]) != Some(false),
    }
}

/// What the firmware of a system is called where the service keeps no inventory: the system itself is updated then.
fn own_bios(system: &str) -> String {
    format!("BIOS-{}", last(system))
}

/// The inventory of an update service; where it has none but fetches images, the versions that systems tell of.
pub(crate) async fn inventory(crawl: &Crawl<'_>, root: &Value, service: &Value) -> Vec<Firmware> {
    let members = crawl.members(service, "FirmwareInventory").await;
    let mut all: Vec<Firmware> = members
        .iter()
        .filter(|(_, doc)| !crate::redfish::part::absent(doc))
        .map(|(path, doc)| item(path, doc))
        .collect();
    if members.is_empty() && link(&service["Actions"]["#UpdateService.SimpleUpdate"]["target"]).is_some() {
        let systems = crawl.members(root, "Systems").await;
        all.extend(systems.iter().filter_map(|(path, doc)| {
            Some(Firmware {
                id: own_bios(path),
                name: "BIOS".into(),
                version: Some(text(&doc["BiosVersion"])?),
                updateable: true,
            })
        }));
    }
    all.sort();
    all
}

/// Values that a parameter of an action takes, when it lists them.
fn allowed(action: &Value, parameter: &str) -> Vec<String> {
    texts(&action[format!("{parameter}@Redfish.AllowableValues")])
}

/// Bodies of `SimpleUpdate` to try, the fullest first: services refuse parameters that they don't know.
fn pull_bodies(action: &Value, url: &str, targets: &[String]) -> Vec<Value> {
    let scheme = if url.starts_with("https:") { "HTTPS" } else { "HTTP" };
    let protocols = allowed(action, "TransferProtocol");
    let mut full = json!({ "ImageURI": url });
    if protocols.is_empty() || protocols.iter().any(|p| p == scheme) {
        full["TransferProtocol"] = json!(scheme);
    }
    let mut bodies = Vec::new();
    if !targets.is_empty() {
        let mut targeted = full.clone();
        targeted["Targets"] = json!(targets);
        bodies.push(targeted);
    }
    bodies.push(full);
    bodies.push(json!({ "ImageURI": url }));
    bodies.dedup();
    bodies
}

/// A `multipart/form-data` body (RFC 7578) as DSP0266 §12.3 wants it: the parameters first, then the file.
fn multipart(parameters: &Value, name: &str, file: &Bytes, boundary: &str) -> Bytes {
    let plain: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .take(100)
        .collect();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"UpdateParameters\"\r\nContent-Type: application/json\r\n\r\n\
         {parameters}\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"UpdateFile\"; filename=\"{plain}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let mut body = Vec::with_capacity(head.len() + file.len() + boundary.len() + 8);
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body.into()
}

/// A boundary that does not occur in the file.
fn boundary(file: &Bytes) -> String {
    (0u64..)
        .map(|n| format!("busbar-{n:016x}"))
        .find(|b| !file.windows(b.len()).any(|w| w == b.as_bytes()))
        .expect("there are more boundaries than bytes")
}

impl Redfish {
    async fn update_service(&self) -> Result<Value, Error> {
        let root = self.root().await?;
        let path =
            link(&root["UpdateService"]).ok_or_else(|| self.client.not_offered("firmware updates", Vec::new()))?;
        Ok(self.client.get(&path).await?.body)
    }

    /// See [`crate::capability::FirmwareUpdate::versions`].
    pub async fn firmware_versions(&self) -> Result<Vec<Firmware>, Error> {
        // The service itself must answer; a member that does not costs only itself.
        let service = self.update_service().await?;
        let root = self.root().await?;
        Ok(inventory(&Crawl::new(&self.client, &root), &root, &service).await)
    }

    /// Members of a collection; none where the link leads nowhere.
    async fn members_at(&self, collection: &Value) -> Result<Vec<String>, Error> {
        let Some(path) = link(collection) else {
            return Ok(Vec::new());
        };
        match self.client.get(&path).await {
            Ok(answer) => Ok(list(&answer.body["Members"]).iter().filter_map(link).collect()),
            Err(Error::Rejected { status: 404, .. }) => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    /// Paths of what has these ids: members of the inventory, or systems where there is none. Both are resources to update
    /// (DSP0268, `SimpleUpdate`, `Targets`).
    async fn targets(&self, service: &Value, ids: &[String]) -> Result<Vec<String>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let of = |paths: Vec<String>, name: fn(&str) -> String| paths.into_iter().map(move |p| (name(&p), p));
        let inventory = self.members_at(&service["FirmwareInventory"]).await?;
        let members: Vec<(String, String)> = if inventory.is_empty() {
            let root = self.root().await?;
            of(self.members_at(&root["Systems"]).await?, own_bios).collect()
        } else {
            of(inventory, |p| last(p).to_owned()).collect()
        };
        let mut out = Vec::new();
        for id in ids {
            match members.iter().find(|(name, _)| name == id) {
                Some((_, path)) => out.push(path.clone()),
                None => {
                    let have = members.iter().map(|(name, _)| name.clone()).take(20).collect();
                    return Err(self.client.not_offered(&format!("firmware `{id}`"), have));
                }
            }
        }
        Ok(out)
    }

    /// See [`crate::capability::FirmwareUpdate::update`].
    pub async fn update_firmware(
        &self,
        image: &FirmwareImage,
        ids: &[String],
        permit: &Permit,
    ) -> Result<Receipt, Error> {
        let service = self.update_service().await?;
        let targets = self.targets(&service, ids).await?;
        match image {
            FirmwareImage::Pull { url } => self.pull(&service, url, &targets, permit).await,
            FirmwareImage::Push { name, bytes } => self.push(&service, name, bytes, &targets, permit).await,
        }
    }

    async fn pull(&self, service: &Value, url: &str, targets: &[String], permit: &Permit) -> Result<Receipt, Error> {
        let action = &service["Actions"]["#UpdateService.SimpleUpdate"];
        let mut have = Vec::new();
        if service["MultipartHttpPushUri"].is_string() || service["HttpPushUri"].is_string() {
            have.push("pushing it".to_owned());
        }
        let lacks = || self.client.not_offered("fetching firmware itself", have);
        let path = link(&action["target"]).ok_or_else(lacks)?;
        let mut refused = None;
        for body in pull_bodies(action, url, targets) {
            match self.client.post(&path, &body, permit).await {
                Ok(answer) => return Ok(receipt(&answer)),
                Err(Error::Rejected {
                    status: 409, message, ..
                }) => return Ok(Receipt::Blocked { by: message }),
                // Refused is not done, so it may be sent again with less.
                Err(e @ Error::Rejected { status: 400 | 422, .. }) => refused = refused.or(Some(e)),
                Err(e) => return Err(e),
            }
        }
        Err(refused.unwrap_or_else(|| self.client.broken(&path, "no way to ask for the update was taken")))
    }

    async fn push(
        &self,
        service: &Value,
        name: &str,
        bytes: &Bytes,
        targets: &[String],
        permit: &Permit,
    ) -> Result<Receipt, Error> {
        let sent = if let Some(path) = link(&service["MultipartHttpPushUri"]) {
            let boundary = boundary(bytes);
            let mut parameters = json!({});
            if !targets.is_empty() {
                parameters["Targets"] = json!(targets);
            }
            let body = multipart(&parameters, name, bytes, &boundary);
            let kind = format!("multipart/form-data; boundary={boundary}");
            self.client.upload(&path, &kind, body, permit).await
        } else if let Some(path) = link(&service["HttpPushUri"]) {
            self.client
                .upload(&path, "application/octet-stream", bytes.clone(), permit)
                .await
        } else {
            return Err(self
                .client
                .not_offered("taking firmware that is pushed to it", Vec::new()));
        };
        match sent {
            Ok(answer) => Ok(receipt(&answer)),
            Err(Error::Rejected {
                status: 409, message, ..
            }) => Ok(Receipt::Blocked { by: message }),
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_named_only_when_it_is_taken() {
        let action = json!({"TransferProtocol@Redfish.AllowableValues": ["TFTP", "HTTPS"]});
        let bodies = pull_bodies(&action, "http://a/b.bin", &["/redfish/v1/x".into()]);
        assert!(bodies.iter().all(|b| b.get("TransferProtocol").is_none()));
        assert_eq!(bodies[0]["Targets"], json!(["/redfish/v1/x"]));
        assert_eq!(bodies.last(), Some(&json!({"ImageURI": "http://a/b.bin"})));
        assert_eq!(pull_bodies(&action, "https://a/b", &[])[0]["TransferProtocol"], "HTTPS");
    }

    #[test]
    fn a_multipart_body_holds_the_file_as_it_is_and_no_header_can_be_smuggled_in() {
        let file = Bytes::from_static(b"busbar-0000000000000000 and more");
        let boundary = boundary(&file);
        assert_eq!(boundary, "busbar-0000000000000001");
        let body = multipart(&json!({"Targets": []}), "x\"\r\nEvil: 1", &file, &boundary);
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("filename=\"xEvil1\"") && !text.contains("\r\nEvil"));
        assert!(body.windows(file.len()).any(|w| w == file));
        assert!(text.ends_with(&format!("--{boundary}--\r\n")));
    }
}
