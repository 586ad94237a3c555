//! Device types as NetBox's community keeps them: one YAML file a model, with its height, ports and outlets. Boxes that
//! are written down by maker and model are completed from them; what is written down is never overwritten.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rack::intent::{Intent, Port};
use serde::Deserialize;

use crate::client::fail;

/// Largest file: real ones have some ten KiB.
const FILE: u64 = 1 << 20;
/// Most files: the library has some six thousand.
const FILES: usize = 50_000;
/// Deepest folder: the library has one for each maker.
const DEPTH: usize = 6;

/// One model. What else a file says is not for us.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DeviceType {
    manufacturer: String,
    model: String,
    #[serde(default)]
    part_number: Option<String>,
    u_height: f64,
    #[serde(default = "yes")]
    is_full_depth: bool,
    #[serde(default)]
    interfaces: Vec<Interface>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Interface {
    name: String,
    #[serde(default)]
    mgmt_only: bool,
}

fn yes() -> bool {
    true
}

/// Reads a file or every file of a folder; files that are no device type are told and passed over.
pub fn read(path: &Path) -> Result<(Vec<DeviceType>, Vec<String>)> {
    let mut files = Vec::new();
    let unreadable = |e: std::io::Error| fail("BB0101", format!("{} can't be read: {e}", path.display()), "");
    find(path, 0, &mut files).map_err(unreadable)?;
    let (mut types, mut notes) = (Vec::new(), Vec::new());
    files.sort();
    for file in files {
        match one(&file) {
            Ok(t) => types.push(t),
            Err(why) => notes.push(format!("{}: {why}", file.display())),
        }
    }
    if types.is_empty() {
        let what = format!(
            "{} holds no device type{}",
            path.display(),
            notes.first().map(|n| format!(": {n}")).unwrap_or_default()
        );
        return Err(fail(
            "BB0101",
            what,
            "a folder of *.yaml as in netbox-community/devicetype-library",
        ));
    }
    Ok((types, notes))
}

fn find(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.symlink_metadata()?.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        if kind.is_dir() && depth < DEPTH {
            find(&path, depth + 1, files)?;
        } else if kind.is_file() && yaml && files.len() < FILES {
            files.push(path);
        }
    }
    Ok(())
}

fn one(file: &Path) -> Result<DeviceType, String> {
    let size = file.metadata().map_err(|e| e.to_string())?.len();
    if size > FILE {
        return Err(format!("{size} bytes are more than a device type has"));
    }
    parse(&std::fs::read_to_string(file).map_err(|e| e.to_string())?)
}

/// Reads one. The parser bounds depth, aliases and nodes itself.
pub fn parse(text: &str) -> Result<DeviceType, String> {
    serde_saphyr::from_str::<DeviceType>(text).map_err(|e| e.to_string().lines().next().unwrap_or_default().to_owned())
}

/// Completes boxes; answers how many are of a known type.
pub fn complete(intent: &mut Intent, types: &[DeviceType]) -> usize {
    let key = |maker: &str, model: &str| (maker.trim().to_lowercase(), model.trim().to_lowercase());
    let mut known: HashMap<(String, String), &DeviceType> = HashMap::new();
    for t in types {
        for model in [Some(&t.model), t.part_number.as_ref()].into_iter().flatten() {
            known.entry(key(&t.manufacturer, model)).or_insert(t);
        }
    }
    let mut completed = 0;
    for b in &mut intent.boxes {
        let (Some(maker), Some(model)) = (&b.maker, &b.model) else {
            continue;
        };
        let first = maker.split_whitespace().next().unwrap_or_default();
        let found = known.get(&key(maker, model)).or_else(|| known.get(&key(first, model)));
        // Makers write their own name before the model as they like.
        let bare = model.strip_prefix(first).map(str::trim);
        let Some(t) = found.or_else(|| known.get(&key(first, bare?))) else {
            continue;
        };
        completed += 1;
        if b.height.is_none() && t.u_height > 0.0 {
            b.height = Some(t.u_height);
        }
        b.half_depth |= !t.is_full_depth;
        if b.ports.is_empty() {
            let ports = t.interfaces.iter().filter(|i| !i.mgmt_only);
            b.ports = ports
                .map(|i| Port {
                    id: i.name.clone(),
                    mac: None,
                    to: None,
                })
                .collect();
        }
    }
    completed
}

#[cfg(test)]
mod tests {
    use super::*;
    use rack::intent::IntendedBox;

    const R640: &str = "---\nmanufacturer: Contoso\nmodel: Server 640\nslug: contoso-server-640\npart_number: S640\nu_height: 2.0\n\
        is_full_depth: true\nweight: 21.9\nweight_unit: kg\nconsole-ports:\n  - name: con0\n    type: de-9\npower-ports:\n\
        \x20 - name: PSU1\n    type: iec-60320-c14\ninterfaces:\n  - name: BMC\n    type: 1000base-t\n    mgmt_only: true\n  - name: NIC1\n    type: 25gbase-x-sfp28\n";

    #[test]
    fn a_box_is_completed_by_its_type_and_never_overwritten() {
        let t = parse(R640).expect("a type");
        let mut intent = Intent::of("r1".parse().expect("a name"));
        let boxed = |slot: &str, maker: &str, model: &str| IntendedBox {
            maker: Some(maker.into()),
            model: Some(model.into()),
            ..IntendedBox::at(slot.parse().expect("a name"))
        };
        intent.boxes = vec![
            boxed("u1", "Contoso Inc.", "Server 640"),
            boxed("u5", "CONTOSO", "s640"),
            boxed("u7", "Other", "Server 640"),
        ];
        intent.boxes[1].height = Some(4.0);
        assert_eq!(complete(&mut intent, &[t]), 2);
        assert_eq!((intent.boxes[0].height, intent.boxes[0].ports.len()), (Some(2.0), 1));
        assert_eq!((intent.boxes[1].height, intent.boxes[2].height), (Some(4.0), None));
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_its_line_and_a_bomb_is_survived() {
        let wrong = parse("manufacturer: C\nmodel: M\nu_height: tall\n").expect_err("no height");
        assert!(wrong.contains('3'), "{wrong}");
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..30 {
            bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 8].join(", "));
        }
        assert!(parse(&bomb).is_err() && parse(&"[".repeat(100_000)).is_err() && parse("\u{0}").is_err());
    }
}
