//! Both engines against the simplest model: a map and its past.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Check, Error, Expect, Memory, Object, Revision, Sqlite, Store, Txn, Write, get_as, list_as};

type Map = BTreeMap<String, (Revision, Vec<u8>)>;

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u8, Guess)>, BTreeMap<u8, Option<u16>>),
    Reopen,
}

/// What a transaction expects of a key; `Seen(n)` is the revision which the key had n commits ago.
#[derive(Debug, Clone)]
enum Guess {
    Any,
    Absent,
    Seen(usize),
}

const KEYS: [&str; 6] = ["a/1", "a/10", "a/2", "a~/1", "b/x y", "b/z"];

fn step() -> impl Strategy<Value = Step> {
    let guess = prop_oneof![
        1 => Just(Guess::Any),
        2 => Just(Guess::Absent),
        4 => (0usize..3).prop_map(Guess::Seen),
    ];
    let checks = proptest::collection::vec((0u8..6, guess), 0..3);
    let writes = proptest::collection::btree_map(0u8..6, proptest::option::weighted(0.7, any::<u16>()), 0..4);
    prop_oneof![
        20 => (checks, writes).prop_map(|(checks, writes)| Step::Commit(checks, writes)),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Default)]
struct Model {
    past: Vec<Map>,
}

impl Model {
    fn now(&self) -> Map {
        self.past.last().cloned().unwrap_or_default()
    }

    fn revision(&self) -> Revision {
        self.past.len() as u64
    }

    fn at(&self, revision: Revision) -> Map {
        revision
            .checked_sub(1)
            .map_or_else(Map::new, |index| self.past[index as usize].clone())
    }

    fn expectation(&self, key: &str, guess: &Guess) -> Expect {
        match guess {
            Guess::Any => Expect::Any,
            Guess::Absent => Expect::Absent,
            Guess::Seen(ago) => {
                let then = self.at(self.revision().saturating_sub(*ago as u64));
                then.get(key)
                    .map_or(Expect::Absent, |(revision, _)| Expect::At(*revision))
            }
        }
    }

    fn commit(&mut self, txn: &Txn) -> Result<Revision, Error> {
        let mut map = self.now();
        for Check { key, expect } in &txn.checks {
            let found = map.get(key).map(|(revision, _)| *revision);
            let holds = match expect {
                Expect::Any => true,
                Expect::Absent => found.is_none(),
                Expect::At(revision) => found == Some(*revision),
            };
            if !holds {
                return Err(Error::Conflict {
                    key: key.clone(),
                    expected: *expect,
                    found,
                });
            }
        }
        let before = map.clone();
        for write in &txn.writes {
            match write {
                Write::Put { key, value } => drop(map.insert(key.clone(), (self.revision() + 1, value.clone()))),
                Write::Delete { key } => drop(map.remove(key)),
            }
        }
        if map != before {
            self.past.push(map);
        }
        Ok(self.revision())
    }
}

fn as_map(objects: Vec<Object>) -> Map {
    objects
        .into_iter()
        .map(|o| (o.key, (o.revision, o.value.to_vec())))
        .collect()
}

async fn agrees(store: &dyn Store, model: &Model) {
    for prefix in ["", "a", "a/", "a/1", "b/x", "c"] {
        let (revision, objects) = store.list(prefix).await.unwrap();
        assert!(objects.is_sorted_by(|a, b| a.key < b.key));
        let mut expected = model.now();
        expected.retain(|key, _| key.starts_with(prefix));
        assert_eq!(
            (revision, as_map(objects)),
            (model.revision(), expected),
            "list {prefix:?}"
        );
    }
    for key in KEYS {
        let found = store.get(key).await.unwrap().map(|o| (o.revision, o.value.to_vec()));
        assert_eq!(found, model.now().get(key).cloned(), "get {key}");
    }
}

/// From every revision, a watch leads through each later state, one commit at a time.
async fn replays(store: &dyn Store, model: &Model) {
    for from in 0..=model.revision() {
        let mut map = model.at(from);
        let mut watch = store.watch(from).await.unwrap();
        for revision in from + 1..=model.revision() {
            let batch = watch.next().await.unwrap();
            assert_eq!(batch.revision, revision);
            for change in batch.changes {
                assert_eq!(change.revision, revision);
                match change.value {
                    Some(value) => drop(map.insert(change.key, (revision, value.to_vec()))),
                    None => assert!(
                        map.remove(&change.key).is_some(),
                        "a delete is only told of what was there"
                    ),
                }
            }
            assert_eq!(map, model.at(revision));
        }
    }
    let ahead = store.watch(model.revision() + 1).await;
    assert!(matches!(ahead, Err(Error::Compacted { .. })));
}

async fn run(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let memory = Memory::new();
    let mut sqlite = Some(Sqlite::open(&path).unwrap());
    let mut model = Model::default();
    let mut live = memory.watch(0).await.unwrap();
    for step in steps {
        let Step::Commit(checks, writes) = step else {
            drop(sqlite.take());
            sqlite = Some(Sqlite::open(&path).unwrap());
            continue;
        };
        let mut txn = Txn::new();
        for (key, guess) in &checks {
            let key = KEYS[*key as usize];
            txn = txn.check(key, model.expectation(key, guess));
        }
        for (key, value) in &writes {
            let key = KEYS[*key as usize];
            txn = match value {
                Some(value) => txn.put(key, value).unwrap(),
                None => txn.delete(key),
            };
        }
        let before = model.revision();
        let expected = model.commit(&txn);
        assert_eq!(memory.commit(txn.clone()).await, expected);
        assert_eq!(sqlite.as_ref().unwrap().commit(txn).await, expected);
        if model.revision() > before {
            assert_eq!(live.next().await.unwrap().revision, model.revision());
        }
    }
    let sqlite = sqlite.unwrap();
    for engine in [&memory as &dyn Store, &sqlite] {
        agrees(engine, &model).await;
        replays(engine, &model).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_behave_as_a_map_and_its_past(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}

#[tokio::test]
async fn typed_reads_give_back_what_was_put_and_name_what_they_cannot_read() {
    let store: Arc<dyn Store> = Arc::new(Memory::new());
    let txn = Txn::new()
        .put("part/a", &vec![1, 2])
        .unwrap()
        .put("part/b", &vec![3])
        .unwrap();
    assert_eq!(store.commit(txn).await.unwrap(), 1);
    assert_eq!(
        get_as::<Vec<u8>>(&*store, "part/a").await.unwrap(),
        Some((1, vec![1, 2]))
    );
    assert_eq!(get_as::<Vec<u8>>(&*store, "part/c").await.unwrap(), None);
    let (revision, all) = list_as::<Vec<u8>>(&*store, "part/").await.unwrap();
    assert_eq!(
        (revision, all),
        (1, vec![("part/a".into(), 1, vec![1, 2]), ("part/b".into(), 1, vec![3])])
    );
    store.commit(Txn::new().put("part/b", "secret").unwrap()).await.unwrap();
    let error = get_as::<Vec<u8>>(&*store, "part/b").await.unwrap_err();
    assert!(
        matches!(&error, Error::Decode { key, revision: 2, .. } if key == "part/b"),
        "{error}"
    );
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn bad_input_is_refused_by_both_engines_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(folder.path().join("state.db")).unwrap();
    for store in [&sqlite as &dyn Store, &Memory::new()] {
        let broken = Txn {
            checks: vec![],
            writes: vec![Write::Put {
                key: "a/b".into(),
                value: b"{".to_vec(),
            }],
        };
        for txn in [
            broken,
            Txn::new().delete("nokind"),
            Txn::new().put("a/b", &1).unwrap().delete("a/b"),
        ] {
            assert!(matches!(store.commit(txn).await, Err(Error::Invalid { .. })));
        }
        assert!(matches!(store.get("").await, Err(Error::Invalid { .. })));
        assert!(matches!(store.list("a\n").await, Err(Error::Invalid { .. })));
        assert_eq!(store.list("").await.unwrap(), (0, vec![]));
    }
}
