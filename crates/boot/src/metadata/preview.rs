//! The same documents for people: what a machine would be told, by path. User data is named and measured, never shown.

use rack::metadata::MetadataFile;

use super::nocloud;
use super::tree::{Node, tree};
use crate::desk::Instance;

/// Every document, NoCloud's seed first, then EC2's tree as its newest version tells it.
pub fn preview(instance: &Instance) -> Vec<MetadataFile> {
    let withheld = instance.user_data.as_ref().map(|data| {
        let size = data.len();
        format!("{size} bytes, told to the machine alone: user data may hold secrets")
    });
    let shown = |path: String, text: String| {
        // whatever bears the name is held back as a whole: both dialects serve it unchanged
        let withheld = withheld.clone().filter(|_| path.ends_with("/user-data"));
        let text = withheld.is_none().then_some(text);
        MetadataFile { path, text, withheld }
    };
    let seed = nocloud::FILES
        .iter()
        .filter_map(|name| Some(shown(format!("/nocloud/{name}"), nocloud::file(instance, name)?)));
    let mut files: Vec<MetadataFile> = seed.collect();
    leaves(&tree(instance), "/latest", &mut |path, text| {
        files.push(shown(path, text))
    });
    files
}

fn leaves(node: &Node, path: &str, take: &mut impl FnMut(String, String)) {
    match node {
        Node::Leaf(value) => take(path.to_owned(), value.clone()),
        Node::Dir(entries) => {
            for entry in entries {
                leaves(&entry.node, &format!("{path}/{}", entry.name), take);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::instance;
    use super::*;

    #[test]
    fn everything_is_there_but_what_user_data_says() {
        let files = preview(&instance(9));
        let text = |path: &str| files.iter().find(|f| f.path == path).unwrap().text.clone();
        assert_eq!(text("/latest/meta-data/hostname").unwrap(), "web-9");
        assert_eq!(
            text("/latest/meta-data/network/interfaces/macs/52:54:00:00:00:09/mac").unwrap(),
            "52:54:00:00:00:09"
        );
        assert!(text("/nocloud/network-config").unwrap().contains("52:54:00:00:00:09"));
        for path in ["/latest/user-data", "/nocloud/user-data"] {
            let file = files.iter().find(|f| f.path == path).unwrap();
            assert_eq!(file.text, None, "{path}");
            assert!(
                file.withheld.as_deref().unwrap().starts_with("36 bytes"),
                "{:?}",
                file.withheld
            );
        }
        assert!(!serde_json::to_string(&files).unwrap().contains("secret-of-9"));
    }

    #[test]
    fn without_user_data_nothing_is_held_back() {
        let mut bare = instance(9);
        bare.user_data = None;
        let files = preview(&bare);
        assert!(files.iter().all(|f| f.text.is_some() && f.withheld.is_none()));
        assert!(files.iter().any(|f| f.path == "/nocloud/user-data"));
    }

    #[test]
    fn every_path_of_the_tree_is_one_that_the_service_answers() {
        let instance = instance(9);
        for file in preview(&instance) {
            if let Some(path) = file.path.strip_prefix("/latest") {
                assert!(tree(&instance).find(path).is_some(), "{path}");
            }
        }
    }
}
