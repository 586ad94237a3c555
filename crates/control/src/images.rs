//! Images: added to the image store, recorded by name, removed when no machine needs them.

use std::path::Path;
use std::sync::Arc;

use boot::images::{Reference, Source};
use rack::request::{ImageRequest, Who};
use rack::{Image, Name, State};
use store::Txn;

use crate::House;
use crate::house::{AddProgress, HouseError};
use crate::keys;

impl House {
    /// Adds an image; `progress` is called as it goes. The same bytes again change nothing.
    pub async fn add_image(
        &self,
        who: &Who,
        request: ImageRequest,
        progress: Arc<dyn Fn(AddProgress) + Send + Sync>,
    ) -> Result<Image, HouseError> {
        let failed = |what: String| HouseError::Failed {
            what,
            hint: "busbar image add NAME FILE | OCI-FOLDER | REGISTRY/NAME:TAG".into(),
        };
        let store = self
            .inner
            .env
            .images
            .as_ref()
            .ok_or_else(|| failed("this house has no image store".into()))?;
        let source = source(&request.source).map_err(failed)?;
        let report = move |p: boot::images::Progress| {
            progress(AddProgress {
                done: p.done.0,
                total: p.total.0,
            })
        };
        let image = store
            .add(&request.name, source, report, self.now())
            .await
            .map_err(|e| failed(e.to_string()))?;
        self.record_image(who, &image).await?;
        Ok(image)
    }

    /// Records an image whose blob is in the image store.
    pub async fn record_image(&self, who: &Who, image: &Image) -> Result<(), HouseError> {
        let key = keys::image(&image.name);
        self.transact(|world| {
            if world
                .images
                .get(&image.name)
                .is_some_and(|i| i.raw_digest == image.raw_digest && i.digest == image.digest)
            {
                return Ok((Txn::new(), ()));
            }
            let txn = Txn::new().check(&key, self.unchanged(&key)).put(&key, image)?;
            Ok((
                self.tell(
                    txn,
                    &self.audit(who, format!("image {}", image.name), format!("added, {}", image.digest)),
                )?,
                (),
            ))
        })
        .await
    }

    /// Removes an image. Machines keep the digest they were accepted with, so one that still has to be installed with it
    /// keeps the image here.
    pub async fn remove_image(&self, who: &Who, name: &Name) -> Result<(), HouseError> {
        let key = keys::image(name);
        self.transact(|world| {
            let image = world.images.get(name).ok_or_else(|| HouseError::NotFound {
                kind: "image",
                name: name.to_string(),
            })?;
            let needed = world.machines.values().find(|m| {
                let before_written = matches!(
                    m.status.state,
                    State::Pending
                        | State::Placed
                        | State::Composing
                        | State::Booting
                        | State::Installing
                        | State::Held
                );
                m.ask.image.digest == image.digest && before_written
            });
            if let Some(machine) = needed {
                return Err(HouseError::Policy {
                    what: format!("{} is still to be installed with it", machine.name),
                    hint: format!("busbar rm {}", machine.name),
                });
            }
            let txn = Txn::new().check(&key, self.unchanged(&key)).delete(&key);
            Ok((
                self.tell(txn, &self.audit(who, format!("image {name}"), "removed"))?,
                (),
            ))
        })
        .await?;
        if let Some(store) = &self.inner.env.images {
            let keep: Vec<String> = self.world().images.values().map(|i| i.digest.clone()).collect();
            store.gc(&keep).await.map_err(|e| HouseError::Failed {
                what: format!("{name} is forgotten, but its bytes are not removed: {e}"),
                hint: "busbar doctor".into(),
            })?;
        }
        Ok(())
    }
}

/// What a user's words for a source mean: what lies on the disk comes before a registry of the same name.
fn source(text: &str) -> Result<Source, String> {
    if let Some(layout) = text.strip_prefix("oci:") {
        let (dir, reference) = match layout.rsplit_once(':') {
            Some((dir, reference)) if !Path::new(layout).exists() => (dir, Some(reference.to_owned())),
            _ => (layout, None),
        };
        return Ok(Source::Layout {
            dir: dir.into(),
            reference,
        });
    }
    let path = Path::new(text);
    if path.join("oci-layout").exists() {
        return Ok(Source::Layout {
            dir: path.into(),
            reference: None,
        });
    }
    if path.exists() || text.starts_with('/') || text.starts_with('.') {
        return Ok(Source::File(path.into()));
    }
    let (plain, rest) = match text.strip_prefix("http://") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("https://").unwrap_or(text)),
    };
    let reference = rest
        .parse::<Reference>()
        .map_err(|e| format!("there is no file `{text}` here, and it is no image in a registry: {e}"))?;
    Ok(Source::Registry {
        reference,
        login: None,
        plain,
    })
}
