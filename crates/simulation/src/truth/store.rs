//! The store as the house has it: the witness sees each commit before whoever made it goes on.

use std::path::Path;
use std::sync::{Arc, Mutex};

use store::{Error, Future, Object, Revision, Store, Txn, Watch};

use super::witness::Witness;

/// A store with a witness.
pub struct Witnessed {
    pub store: Arc<dyn Store>,
    pub witness: Arc<Mutex<Witness>>,
}

impl Store for Witnessed {
    fn get<'a>(&'a self, key: &'a str) -> Future<'a, Result<Option<Object>, Error>> {
        self.store.get(key)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Future<'a, Result<(Revision, Vec<Object>), Error>> {
        self.store.list(prefix)
    }

    fn commit(&self, txn: Txn) -> Future<'_, Result<Revision, Error>> {
        Box::pin(async move {
            let done = self.store.commit(txn).await;
            self.witness.lock().expect("nothing panics under this lock").catch_up();
            done
        })
    }

    fn watch(&self, from: Revision) -> Future<'_, Result<Watch, Error>> {
        self.store.watch(from)
    }

    fn backup<'a>(&'a self, to: &'a Path) -> Future<'a, Result<(), Error>> {
        self.store.backup(to)
    }
}
