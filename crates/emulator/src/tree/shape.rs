//! What all boxes of one kind have in common: their documents, and what follows from them. A captured folder is a shape
//! that one box has; the boxes of a hall share theirs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::files::{self, Index, canonical, parse};
use super::power::link;
use super::template::{BadTemplate, Template, Templates};
use super::{BadTree, template};
use crate::query::Claims;

/// The documents of a kind of box.
pub struct Shape {
    documents: Documents,
    pub(super) claims: Claims,
    /// Paths of what can be reset as a system.
    pub(super) systems: Vec<String>,
    /// The resource that each settings object belongs to.
    pub(super) settings_of: HashMap<String, String>,
    pub(super) sessions: Option<String>,
    pub(super) stream: Option<String>,
    pub(super) tasks: String,
    /// What this maker writes for what can't be read.
    pub(super) nothing: Value,
}

enum Documents {
    Folder(Index),
    Templates(Templates),
}

impl Shape {
    /// Documents written down as [`super::template`] says.
    pub fn read(texts: &[&str]) -> Result<Arc<Shape>, BadTemplate> {
        Ok(Arc::new(Shape::new(Documents::Templates(template::read(texts)?))))
    }

    /// The folder that holds `redfish`.
    pub(super) fn open(folder: &Path) -> Result<Arc<Shape>, BadTree> {
        Ok(Arc::new(Shape::new(Documents::Folder(files::index(folder)?))))
    }

    fn new(documents: Documents) -> Shape {
        let mut shape = Shape {
            documents,
            claims: Claims::default(),
            systems: Vec::new(),
            settings_of: HashMap::new(),
            sessions: None,
            stream: None,
            tasks: String::new(),
            nothing: Value::Null,
        };
        let root = shape.document("/redfish/v1").unwrap_or_default();
        shape.claims = Claims::of(&root);
        let collection = link(&root["Systems"])
            .and_then(|p| shape.document(&p))
            .unwrap_or_default();
        let members = collection["Members"].as_array().cloned().unwrap_or_default();
        shape.systems = members
            .iter()
            .filter_map(link)
            .filter(|s| {
                let system = shape.document(s);
                system.is_some_and(|d| d["Actions"]["#ComputerSystem.Reset"].is_object())
            })
            .collect();
        let service = |name: &str| link(&root[name]).and_then(|p| shape.document(&p));
        let stream =
            service("EventService").and_then(|d| Some(canonical(d["ServerSentEventUri"].as_str()?).to_owned()));
        let tasks = service("Tasks").and_then(|d| link(&d["Tasks"]));
        shape.stream = stream;
        shape.tasks = tasks.unwrap_or_else(|| "/redfish/v1/TaskService/Tasks".to_owned());
        shape.sessions = link(&root["Links"]["Sessions"]);
        shape.settings_of = shape.find_settings().into_iter().collect();
        shape.nothing = shape.written_for_nothing();
        shape
    }

    /// Resources that there are.
    pub fn resources(&self) -> usize {
        match &self.documents {
            Documents::Folder(index) => index.len(),
            Documents::Templates(all) => all.len(),
        }
    }

    /// Bytes that the documents take in memory, about; those of a folder lie in it.
    pub fn size(&self) -> usize {
        match &self.documents {
            Documents::Folder(_) => 0,
            Documents::Templates(all) => all.iter().map(|(path, t)| path.len() + t.size()).sum(),
        }
    }

    /// Null where a sensor of this shape without a reading says so, else 0.
    fn written_for_nothing(&self) -> Value {
        let paths: Vec<&str> = match &self.documents {
            Documents::Folder(index) => index.keys().map(String::as_str).collect(),
            Documents::Templates(all) => all.keys().map(AsRef::as_ref).collect(),
        };
        let mut sensors = paths.into_iter().filter(|p| p.contains("/Sensors/"));
        let nulls = sensors.any(|p| self.document(p).is_some_and(|d| d.get("Reading") == Some(&Value::Null)));
        if nulls { Value::Null } else { json!(0) }
    }

    /// Which settings object belongs to which resource.
    fn find_settings(&self) -> Vec<(String, String)> {
        let bios = self
            .systems
            .iter()
            .filter_map(|s| link(&self.document(s)?.get("Bios").cloned()?));
        bios.filter_map(|b| {
            let settings = link(&self.document(&b)?["@Redfish.Settings"]["SettingsObject"])?;
            Some((canonical(&settings).to_owned(), b))
        })
        .collect()
    }

    /// The document at a path, as every box of this shape has it at first.
    pub(super) fn document(&self, path: &str) -> Option<Value> {
        match &self.documents {
            Documents::Folder(_) => parse(&self.bytes(path)?),
            Documents::Templates(all) => Some(all.get(canonical(path))?.document.clone()),
        }
    }

    pub(super) fn template(&self, path: &str) -> Option<&Template> {
        match &self.documents {
            Documents::Folder(_) => None,
            Documents::Templates(all) => all.get(path),
        }
    }

    /// The captured file at a path.
    pub(super) fn entry(&self, path: &str) -> Option<&files::Entry> {
        match &self.documents {
            Documents::Folder(index) => index.get(path),
            Documents::Templates(_) => None,
        }
    }

    /// The captured body at a path as it lies in its file.
    pub(super) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let entry = self.entry(canonical(path))?;
        let small = std::fs::metadata(&entry.file).is_ok_and(|m| m.len() <= files::LARGEST);
        small.then(|| std::fs::read(&entry.file).ok())?
    }
}
