//! The SQLite engine under concurrent writers, slow readers and callers that give up.
#![allow(clippy::unwrap_used)]

use futures_util::future::join_all;
use std::sync::Arc;
use std::task::{Context, Waker};
use store::sqlite::Options;
use store::{Error, Expect, Sqlite, Store, Txn};

fn open(folder: &tempfile::TempDir) -> Sqlite {
    Sqlite::open(folder.path().join("state.db")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_want_one_part_exactly_one_gets_it_and_the_others_do_not_fail_their_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    let commits = (0..300u32).map(|n| {
        let store = store.clone();
        let txn = if n % 2 == 0 {
            Txn::new().check("part/a", Expect::Absent).put("part/a", &n).unwrap()
        } else {
            Txn::new().put(format!("own/{n}"), &n).unwrap()
        };
        tokio::spawn(async move { (n, store.commit(txn).await) })
    });
    let answers: Vec<_> = join_all(commits).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = answers
        .iter()
        .filter(|(n, answer)| n % 2 == 0 && answer.is_ok())
        .collect();
    assert_eq!(winners.len(), 1);
    let (winner, revision) = (winners[0].0, *winners[0].1.as_ref().unwrap());
    let part = store.get("part/a").await.unwrap().unwrap();
    assert_eq!((part.decode::<u32>().unwrap(), part.revision), (winner, revision));
    for (n, answer) in &answers {
        match answer {
            Ok(_) => {}
            Err(Error::Conflict { found, .. }) => assert_eq!((n % 2, *found), (0, Some(revision))),
            Err(error) => panic!("{n}: {error}"),
        }
    }
    let mut revisions: Vec<_> = answers.iter().filter_map(|(_, answer)| answer.clone().ok()).collect();
    revisions.sort_unstable();
    assert_eq!(
        revisions,
        (1..=151).collect::<Vec<_>>(),
        "each commit has a revision of its own"
    );
}

#[tokio::test]
async fn a_commit_that_is_dropped_happens_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for n in 0..200u32 {
        let txn = Txn::new()
            .put(format!("left/{n}"), &n)
            .unwrap()
            .put(format!("right/{n}"), &n)
            .unwrap();
        let mut commit = store.commit(txn);
        for _ in 0..n % 3 {
            // What it answers is thrown away, as the caller is.
            let _ = commit.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        drop(commit);
    }
    // Behind this one, everything that was handed in is decided.
    store.commit(Txn::new().put("end/end", &0).unwrap()).await.unwrap();
    let names = |objects: Vec<store::Object>| -> Vec<String> {
        objects
            .into_iter()
            .map(|o| o.key.split_once('/').unwrap().1.to_owned())
            .collect()
    };
    let left = names(store.list("left/").await.unwrap().1);
    let right = names(store.list("right/").await.unwrap().1);
    assert_eq!(left, right);
    assert!(
        !left.contains(&"0".to_owned()),
        "a commit that was never polled never happens"
    );
    assert!(
        left.contains(&"1".to_owned()),
        "a commit that was handed in happens without its caller"
    );
}

#[tokio::test]
async fn a_watch_resumes_after_a_restart_and_follows_what_comes_then() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for n in 0..5 {
        store.commit(Txn::new().put("a/b", &n).unwrap()).await.unwrap();
    }
    let mut orphan = store.watch(5).await.unwrap();
    drop(store);
    assert!(
        matches!(orphan.next().await, Err(Error::Unavailable { .. })),
        "a closed store tells its readers"
    );
    let store = open(&folder);
    let mut watch = store.watch(2).await.unwrap();
    store.commit(Txn::new().delete("a/b")).await.unwrap();
    for revision in 3..=6 {
        assert_eq!(watch.next().await.unwrap().revision, revision);
    }
    let waiting = watch.next();
    let commit = store.commit(Txn::new().put("a/c", &1).unwrap());
    let (batch, revision) = tokio::join!(waiting, commit);
    assert_eq!((batch.unwrap().revision, revision.unwrap()), (7, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_is_served_from_the_file_and_told_when_its_past_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let options = Options {
        history_revisions_max: 3000,
        ..Options::default()
    };
    let store = Arc::new(Sqlite::open_with(&path, &options).unwrap());
    let mut slow = store.watch(0).await.unwrap();
    let mut slower = store.watch(0).await.unwrap();
    let write = async |count: u32| {
        let commits = (0..count).map(|n| store.commit(Txn::new().put(format!("a/{}", n % 7), &n).unwrap()));
        for answer in join_all(commits).await {
            answer.unwrap();
        }
    };
    // Beyond what is kept in memory, not beyond the history.
    write(2500).await;
    for revision in 1..=2500 {
        assert_eq!(slow.next().await.unwrap().revision, revision);
    }
    write(1500).await;
    assert_eq!(slower.next().await, Err(Error::Compacted { from: 0, oldest: 1001 }));
    assert!(matches!(
        store.watch(999).await,
        Err(Error::Compacted {
            from: 999,
            oldest: 1001
        })
    ));
    let mut edge = store.watch(1000).await.unwrap();
    for revision in 1001..=4000 {
        assert_eq!(edge.next().await.unwrap().revision, revision);
    }
}

#[tokio::test]
async fn history_is_bounded_in_bytes_too() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        history_bytes_max: 100_000,
        ..Options::default()
    };
    let store = Sqlite::open_with(folder.path().join("state.db"), &options).unwrap();
    let value = "x".repeat(10_000);
    for _ in 0..40 {
        store.commit(Txn::new().put("a/b", &value).unwrap()).await.unwrap();
    }
    let Err(Error::Compacted { oldest, .. }) = store.watch(0).await else {
        panic!("nothing was dropped")
    };
    assert!((31..=40).contains(&oldest), "{oldest}");
    drop(store);
    // The sum is counted anew when the file is opened.
    let store = Sqlite::open_with(folder.path().join("state.db"), &options).unwrap();
    for _ in 0..10 {
        store.commit(Txn::new().put("a/b", &value).unwrap()).await.unwrap();
    }
    let Err(Error::Compacted { oldest, .. }) = store.watch(0).await else {
        panic!("nothing was dropped")
    };
    assert!((41..=50).contains(&oldest), "{oldest}");
}
