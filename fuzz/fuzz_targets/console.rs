//! Any bytes behind a WebSocket: the console ends, and no piece is longer than a message may be.
#![no_main]

use futures_util::StreamExt as _;
use hardware::console::{Why, websocket};
use libfuzzer_sys::fuzz_target;
use tokio::io::AsyncWriteExt as _;

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (mut bmc, ours) = tokio::io::duplex(1 << 16);
        let why = Why::default();
        let mut console = websocket::open(Box::new(ours), true, why.clone()).await;
        let sent = bytes.to_vec();
        tokio::spawn(async move {
            let _ = bmc.write_all(&sent).await;
            let _ = bmc.shutdown().await;
        });
        let mut total = 0;
        while let Some(piece) = console.output.next().await {
            total += piece.len();
            assert!(piece.len() <= 1 << 20);
        }
        assert!(total <= bytes.len(), "nothing is printed that was not sent");
        tokio::task::yield_now().await;
        assert!(why.get().is_none_or(|w| !w.chars().any(char::is_control)), "{:?}", why.get());
    });
});
