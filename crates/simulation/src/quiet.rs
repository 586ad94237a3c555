//! Panics of a story are its outcome, told once at its end, and not a page of backtraces for each try of the shrinker.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// While this lives, panics of this thread are kept and not printed.
pub struct Quiet;

/// Keeps the panics of this thread from the terminal.
pub fn panics() -> Quiet {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                LAST.set(Some(told(info)));
            } else {
                before(info);
            }
        }));
    });
    QUIET.set(true);
    LAST.take();
    Quiet
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(false);
    }
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let at = info.location().map(ToString::to_string).unwrap_or_default();
    format!("{} at {at}", payload(info.payload()))
}

fn payload(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
        .to_owned()
}

/// The last panic of this thread, in words.
pub fn last() -> Option<String> {
    LAST.take()
}

/// A panic in words: where it was, if that was seen.
pub fn words(panic: &(dyn Any + Send)) -> String {
    last().unwrap_or_else(|| payload(panic))
}
