//! A process killed while it commits: what it acknowledged is there, and nothing is there by halves.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use store::{Error, Sqlite, Store, Txn};

const PATH: &str = "STORE_CRASH_PATH";
const WRITERS: u32 = 8;

/// Not a test by itself: the process that the test below starts and kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by acknowledged_commits_survive_a_kill"]
async fn child_commits_until_it_is_killed() {
    let Some(path) = std::env::var_os(PATH).map(PathBuf::from) else {
        return;
    };
    let store = Arc::new(Sqlite::open(path).unwrap());
    let (first, _) = store.list("").await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let name = format!("{first}-{writer}-{n}");
                let txn = Txn::new().put(format!("left/{name}"), &n).unwrap();
                let txn = txn.put(format!("right/{name}"), &n).unwrap();
                let revision = store.commit(txn).await.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "ack {revision} {name}").unwrap();
                out.flush().unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn acknowledged_commits_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut acknowledged = BTreeMap::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "child_commits_until_it_is_killed",
            ])
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            // The last line may be cut by the kill; a whole one has three words.
            let Some(rest) = line.find("ack ").map(|at| &line[at + 4..]) else {
                continue;
            };
            let Some((revision, name)) = rest.split_once(' ') else {
                continue;
            };
            acknowledged.insert(revision.parse::<u64>().unwrap(), name.to_owned());
            seen += 1;
            if seen == 100 * round {
                // The pipe still holds lines that were acknowledged: they are read to the end.
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success());
        assert!(seen >= 100 * round, "the child ended by itself");

        let store = Sqlite::open(&path).unwrap();
        let (last, objects) = store.list("").await.unwrap();
        let found: BTreeMap<_, _> = objects.iter().map(|o| (o.key.as_str(), o.revision)).collect();
        for (revision, name) in &acknowledged {
            for side in ["left", "right"] {
                // A cut name can't be looked up: only the very last line may be cut.
                let key = format!("{side}/{name}");
                if Some(revision) == acknowledged.keys().last() && !found.contains_key(key.as_str()) {
                    assert!(
                        found.iter().any(|(k, r)| k.starts_with(&key) && r == revision),
                        "lost {revision} {key}"
                    );
                    continue;
                }
                assert_eq!(found.get(key.as_str()), Some(revision), "lost {revision} {key}");
            }
        }
        assert_eq!(
            found.len() as u64,
            2 * last,
            "each commit is there with both of its writes"
        );
        let mut watch = store.watch(0).await.unwrap();
        for revision in 1..=last {
            let batch = watch.next().await.unwrap();
            assert_eq!((batch.revision, batch.changes.len()), (revision, 2));
        }
    }
}

#[tokio::test]
async fn a_second_daemon_on_the_same_store_is_refused_by_any_name_and_admitted_when_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let alias = folder.path().join("alias.db");
    let store = Sqlite::open(&path).unwrap();
    std::os::unix::fs::symlink(&path, &alias).unwrap();
    for name in [&path, &alias] {
        let error = Sqlite::open(name).unwrap_err();
        assert!(matches!(error, Error::InUse { .. }), "{error}");
        assert!(
            error.to_string().contains(&format!("process {}", std::process::id())),
            "{error}"
        );
    }
    store.commit(Txn::new().put("a/b", &1).unwrap()).await.unwrap();
    drop(store);
    assert_eq!(Sqlite::open(&alias).unwrap().list("").await.unwrap().0, 1);
}
