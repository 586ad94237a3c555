//! Durable commits per second of the store, as ratios to plain SQLite on the same disk in the same run.
//!
//! `cargo run --release -p store --example commits [FOLDER [SECONDS]]`: one row of 1 KB a commit. The yardstick is
//! rusqlite with the same settings (WAL, `synchronous=FULL`), one row per transaction, one writer, into one bare table.
//! It is measured before and after each number of writers, as a shared disk does not keep still.

use rusqlite::Connection;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{Sqlite, Store, Txn};

const WRITERS: [usize; 4] = [1, 8, 64, 256];
/// A string of this length is 1,024 bytes of JSON.
const VALUE_CHARS: usize = 1022;
/// Each writer goes around so many keys: rows are inserted first, updated later, as a rack's are.
const KEYS: u64 = 100;

/// Rows per second of SQLite alone.
fn plain(path: &Path, time: Duration) -> rusqlite::Result<f64> {
    let conn = Connection::open(path)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.execute_batch("CREATE TABLE IF NOT EXISTS row (key TEXT PRIMARY KEY, value BLOB)")?;
    let value = vec![b'x'; VALUE_CHARS + 2];
    let begun = Instant::now();
    let mut rows = 0;
    while begun.elapsed() < time {
        conn.prepare_cached("INSERT OR REPLACE INTO row VALUES (?1, ?2)")?
            .execute((format!("bench/{}", rows % KEYS), &value))?;
        rows += 1;
    }
    Ok(rows as f64 / begun.elapsed().as_secs_f64())
}

/// Commits per second of the store, and the slowest one in a hundred.
async fn ours(store: &Arc<Sqlite>, writers: usize, time: Duration) -> Result<(f64, Duration), Box<dyn Error>> {
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for writer in 0..writers {
        let (store, done) = (store.clone(), done.clone());
        tasks.push(tokio::spawn(async move {
            let value = "x".repeat(VALUE_CHARS);
            let mut waits = Vec::new();
            for n in 0.. {
                if begun.elapsed() >= time {
                    break;
                }
                let handed_in = Instant::now();
                store
                    .commit(Txn::new().put(format!("bench/{writer}-{}", n % KEYS), &value)?)
                    .await?;
                waits.push(handed_in.elapsed());
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, store::Error>(waits)
        }));
    }
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    waits.sort_unstable();
    Ok((rate, waits.get(waits.len() * 99 / 100).copied().unwrap_or_default()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let parent = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let seconds = args.next().and_then(|s| s.to_str()?.parse().ok()).unwrap_or(3.0);
    let time = Duration::from_secs_f64(seconds);
    let folder = tempfile::tempdir_in(&parent)?;
    let store = Arc::new(Sqlite::open(folder.path().join("state.db"))?);
    let alone = folder.path().join("plain.db");
    println!("1 KB commits, each durable, {seconds} s a row, in {}", parent.display());
    println!(
        "{:>8} {:>12} {:>10} {:>14} {:>8}",
        "writers", "commits/s", "p99 ms", "SQLite rows/s", "ratio"
    );
    let mut before = plain(&alone, time)?;
    for writers in WRITERS {
        let (rate, p99) = ours(&store, writers, time).await?;
        let after = plain(&alone, time)?;
        let yardstick = (before + after) / 2.0;
        let p99 = p99.as_secs_f64() * 1e3;
        println!(
            "{writers:>8} {rate:>12.0} {p99:>10.1} {yardstick:>14.0} {:>8.2}",
            rate / yardstick
        );
        before = after;
    }
    Ok(())
}
