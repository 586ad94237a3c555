//! The file itself: its mode, older and newer schemas, other programs' files, backups and full disks.
#![allow(clippy::unwrap_used)]

use rusqlite::Connection;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use store::sqlite::Options;
use store::{Error, Memory, Object, Sqlite, Store, Txn, restore};

const APPLICATION_ID: i64 = 0x4253_4252;
const FULL_DISK: &str = "STORE_FULL_DISK";

/// Makes, or spoils, the file at a path.
type Harm = Box<dyn Fn(&Path)>;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn put(store: &dyn Store, key: &str, value: &str) -> Result<u64, Error> {
    store.commit(Txn::new().put(key, value)?).await
}

/// What is there, without the revision of the store as a whole.
async fn objects(store: &dyn Store) -> Vec<Object> {
    store.list("").await.unwrap().1
}

/// A file as version 1 made it: objects and a revision, no history.
fn version_1(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(&format!(
        "CREATE TABLE object (
        key TEXT NOT NULL PRIMARY KEY,
        revision INTEGER NOT NULL,
        value BLOB NOT NULL
    );
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        revision INTEGER NOT NULL
    );
    INSERT INTO state (id, revision) VALUES (1, 12);
    INSERT INTO object VALUES ('a/b', 7, CAST('{{\"n\":1}}' AS BLOB)), ('a/c', 12, CAST('2' AS BLOB));
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = 1;"
    ))
    .unwrap();
}

#[tokio::test]
async fn a_file_of_version_1_is_brought_forward_with_its_objects_and_revisions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    version_1(&path);
    let store = Sqlite::open(&path).unwrap();
    let (revision, found) = store.list("").await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|o| (o.key.as_str(), o.revision, &o.value[..]))
        .collect();
    assert_eq!(
        (revision, found),
        (12, vec![("a/b", 7, &b"{\"n\":1}"[..]), ("a/c", 12, b"2")])
    );
    assert!(
        matches!(store.watch(11).await, Err(Error::Compacted { oldest: 13, .. })),
        "it had no history"
    );
    let mut watch = store.watch(12).await.unwrap();
    assert_eq!(put(&store, "a/d", "x").await.unwrap(), 13);
    assert_eq!(watch.next().await.unwrap().revision, 13);
    drop(store);
    assert_eq!(
        Sqlite::open(&path).unwrap().list("").await.unwrap().0,
        13,
        "a second opening migrates nothing"
    );
}

#[tokio::test]
async fn an_empty_file_of_version_0_becomes_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    fs::write(&path, b"").unwrap();
    assert_eq!(Sqlite::open(&path).unwrap().list("").await.unwrap(), (0, vec![]));
    let conn = Connection::open(&path).unwrap();
    assert_eq!(
        conn.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
            .unwrap(),
        2
    );
}

#[test]
fn files_of_newer_versions_and_of_other_programs_are_refused_and_left_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, Harm); 4] = [
        (
            "newer",
            Box::new(|path| {
                version_1(path);
                Connection::open(path)
                    .unwrap()
                    .pragma_update(None, "user_version", 99)
                    .unwrap();
            }),
        ),
        (
            "other",
            Box::new(|path| {
                Connection::open(path)
                    .unwrap()
                    .execute_batch("CREATE TABLE t (a)")
                    .unwrap()
            }),
        ),
        (
            "text",
            Box::new(|path| fs::write(path, "not a database, but long enough to look at: ".repeat(50)).unwrap()),
        ),
        (
            "other-version",
            Box::new(|path| {
                Connection::open(path)
                    .unwrap()
                    .pragma_update(None, "user_version", 2)
                    .unwrap()
            }),
        ),
    ];
    for (name, make) in cases {
        let path = folder.path().join(name);
        make(&path);
        let before = fs::read(&path).unwrap();
        let error = Sqlite::open(&path).unwrap_err();
        match name {
            "newer" => {
                assert!(
                    matches!(
                        error,
                        Error::TooNew {
                            found: 99,
                            known: 2,
                            ..
                        }
                    ),
                    "{error}"
                );
                assert!(error.to_string().contains("newer busbar"), "{error}");
            }
            _ => assert!(matches!(error, Error::Corrupt { .. }), "{name}: {error}"),
        }
        assert_eq!(fs::read(&path).unwrap(), before, "{name} was changed");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named_with_what_to_do() {
    let error = Sqlite::open("/nonexistent-folder/state.db").unwrap_err().to_string();
    assert!(
        error.contains("/nonexistent-folder/state.db") && error.contains("make the folder"),
        "{error}"
    );
}

#[tokio::test]
async fn only_the_owner_may_read_the_store_and_its_backup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    fs::write(&path, b"").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = Sqlite::open(&path).unwrap();
    put(&store, "a/b", "x").await.unwrap();
    let backup = folder.path().join("backup.db");
    store.backup(&backup).await.unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn both_engines_backups_become_stores_with_the_same_objects_under_new_revisions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let sqlite = Sqlite::open(&path).unwrap();
    let memory = Memory::new();
    for (name, store) in [("sqlite", &sqlite as &dyn Store), ("memory", &memory)] {
        for n in 0..20 {
            put(store, &format!("a/{}", n % 9), &n.to_string()).await.unwrap();
        }
        let backup = folder.path().join(format!("{name}.backup"));
        fs::write(&backup, "yesterday's").unwrap();
        store.backup(&backup).await.unwrap();
        let kept = objects(store).await;
        put(store, "a/later", "not in the backup").await.unwrap();

        let to = folder.path().join(format!("{name}.db"));
        restore(&backup, &to).unwrap();
        assert_eq!(mode(&to), 0o600);
        let restored = Sqlite::open(&to).unwrap();
        assert_eq!(objects(&restored).await, kept);
        // A reader that saw revision 21 of the lost store must not be given another one.
        assert!(matches!(restored.watch(21).await, Err(Error::Compacted { .. })));
        let now = restored.list("").await.unwrap().0;
        assert_eq!(now, 1_000_000_020);
        assert_eq!(put(&restored, "a/b", "x").await.unwrap(), now + 1);
        assert!(
            matches!(restore(&backup, &to), Err(Error::InUse { .. })),
            "a daemon has it open"
        );
        drop(restored);
        assert!(
            matches!(restore(&backup, &to), Err(Error::Invalid { .. })),
            "there is a store"
        );
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_backup_never_overwrites_the_store_that_it_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = Sqlite::open(&path).unwrap();
    put(&store, "a/b", "x").await.unwrap();
    for own in [
        "state.db",
        "state.db-wal",
        "state.db-shm",
        "state.db-lock",
        "./state.db",
    ] {
        let error = store.backup(&folder.path().join(own)).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{own}: {error}");
    }
    let error = store
        .backup(&folder.path().join("nowhere/backup.db"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert_eq!(objects(&store).await.len(), 1);
}

#[tokio::test]
async fn a_backup_that_is_damaged_or_holds_anything_else_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(folder.path().join("state.db")).unwrap();
    for n in 0..200 {
        put(&store, &format!("a/{n}"), &"x".repeat(500)).await.unwrap();
    }
    let good = folder.path().join("good");
    store.backup(&good).await.unwrap();
    let sql = |statement: &'static str| -> Harm {
        Box::new(move |path| Connection::open(path).unwrap().execute_batch(statement).unwrap())
    };
    let cases: Vec<(&str, Harm)> = vec![
        (
            "bytes",
            Box::new(|path| {
                let mut bytes = fs::read(path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle..middle + 8192].fill(0x5a);
                fs::write(path, bytes).unwrap();
            }),
        ),
        (
            // Every row is still read: only the integrity check sees that a key is not in its index.
            "index",
            Box::new(|path| {
                let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_object_1'";
                let page: usize = Connection::open(path)
                    .unwrap()
                    .query_row(sql, [], |row| row.get::<_, i32>(0))
                    .unwrap() as usize;
                let mut bytes = fs::read(path).unwrap();
                let index = &mut bytes[(page - 1) * 4096..page * 4096];
                let at = index.windows(2).rposition(|two| two == b"a/").unwrap();
                index[at] = b'b';
                fs::write(path, bytes).unwrap();
            }),
        ),
        (
            "cut",
            Box::new(|path| {
                let bytes = fs::read(path).unwrap();
                fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
            }),
        ),
        ("empty", Box::new(|path| fs::write(path, b"").unwrap())),
        (
            "trigger",
            sql("CREATE TRIGGER t AFTER INSERT ON object BEGIN DELETE FROM object; END"),
        ),
        ("view", sql("CREATE VIEW v AS SELECT * FROM object")),
        ("key", sql("UPDATE object SET key = 'nokind' WHERE key = 'a/1'")),
        (
            "json",
            sql("UPDATE object SET value = CAST('{' AS BLOB) WHERE key = 'a/1'"),
        ),
        ("text", sql("UPDATE object SET value = '{}' WHERE key = 'a/1'")),
        (
            "large",
            sql("UPDATE object SET value = zeroblob(2000000) WHERE key = 'a/1'"),
        ),
        ("revision", sql("UPDATE object SET revision = 4000 WHERE key = 'a/1'")),
        ("negative", sql("UPDATE state SET revision = -1")),
        ("end", sql("UPDATE state SET revision = 9007199254740991")),
        ("newer", sql("PRAGMA user_version = 3")),
    ];
    for (name, harm) in cases {
        let (bad, to) = (folder.path().join(name), folder.path().join(format!("{name}.db")));
        fs::copy(&good, &bad).unwrap();
        harm(&bad);
        let error = restore(&bad, &to).unwrap_err();
        let right = if name == "newer" {
            matches!(error, Error::TooNew { .. })
        } else {
            matches!(error, Error::Corrupt { .. })
        };
        assert!(right, "{name}: {error}");
        assert!(!to.exists(), "{name}");
    }
    restore(&good, &folder.path().join("new.db")).unwrap();
    let old = folder.path().join("old");
    version_1(&old);
    restore(&old, &folder.path().join("from-old.db")).unwrap();
    assert_eq!(
        Sqlite::open(folder.path().join("from-old.db"))
            .unwrap()
            .list("")
            .await
            .unwrap()
            .1
            .len(),
        2
    );
}

/// Fills `store` until it refuses; returns what was acknowledged.
async fn fill(store: &Sqlite) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let value = "x".repeat(20_000);
    for n in 0..10_000 {
        let key = format!("fill/{n:05}");
        match put(store, &key, &value).await {
            Ok(_) => acknowledged.push(key),
            Err(error) => {
                assert!(matches!(error, Error::Full { .. }), "{error}");
                assert!(error.to_string().contains("free space"), "{error}");
                return acknowledged;
            }
        }
    }
    panic!("the store was never full");
}

async fn holds(store: &Sqlite, acknowledged: &[String]) {
    let found: Vec<_> = store
        .list("fill/")
        .await
        .unwrap()
        .1
        .into_iter()
        .map(|o| o.key)
        .collect();
    assert_eq!(found, acknowledged);
}

#[tokio::test]
async fn a_store_at_its_limit_refuses_writes_serves_reads_and_goes_on_with_a_higher_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let small = Options {
        bytes_max: 1 << 20,
        ..Options::default()
    };
    let store = Sqlite::open_with(&path, &small).unwrap();
    let mut acknowledged = fill(&store).await;
    holds(&store, &acknowledged).await;
    // One that is too large fails, and its neighbours in the group don't.
    let value = "x".repeat(500_000);
    let (large, tiny) = tokio::join!(put(&store, "fill/large", &value), put(&store, "fill/tiny", "x"));
    assert!(matches!(large, Err(Error::Full { .. })));
    if tiny.is_ok() {
        acknowledged.push("fill/tiny".into());
    }
    drop(store);
    let store = Sqlite::open(&path).unwrap();
    holds(&store, &acknowledged).await;
    put(&store, "later/a", "x").await.unwrap();
}

/// Not a test by itself: runs on a disk of a few megabytes, which the test below mounts in a namespace of its own.
#[tokio::test]
#[ignore = "run by a_full_disk_loses_nothing_and_writing_resumes_when_there_is_space"]
async fn child_fills_the_disk() {
    let Some(disk) = std::env::var_os(FULL_DISK).map(PathBuf::from) else {
        return;
    };
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    let store = Sqlite::open(disk.join("state.db")).unwrap();
    let acknowledged = fill(&store).await;
    assert!(!acknowledged.is_empty());
    holds(&store, &acknowledged).await;
    let error = store.backup(&disk.join("backup")).await.unwrap_err();
    assert!(matches!(error, Error::Full { .. }), "{error}");
    fs::remove_file(&ballast).unwrap();
    put(&store, "later/a", "x").await.unwrap();
    holds(&store, &acknowledged).await;
    drop(store);
    holds(&Sqlite::open(disk.join("state.db")).unwrap(), &acknowledged).await;
    println!("the disk was full after {} commits", acknowledged.len());
}

#[test]
fn a_full_disk_loses_nothing_and_writing_resumes_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .arg("sh")
            .arg(folder.path());
        command
    };
    let mount = r#"mount -t tmpfs -o size=8m none "$1""#;
    if !unshare(mount).output().is_ok_and(|out| out.status.success()) {
        // Not `eprintln!`, which the harness swallows when the test passes.
        writeln!(
            std::io::stderr(),
            "SKIPPED: no user and mount namespace here, so no small disk to fill"
        )
        .unwrap();
        return;
    }
    let run = unshare(&format!(
        r#"{mount} && exec "$2" --ignored --exact --nocapture child_fills_the_disk"#
    ))
    .arg(std::env::current_exe().unwrap())
    .env(FULL_DISK, folder.path())
    .output()
    .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(
        run.status.success() && out.contains("the disk was full after"),
        "{out}\n{err}"
    );
}
