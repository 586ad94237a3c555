//! A request, then packets of a client: no panic, and no block larger than was agreed.
#![no_main]

use boot::tftp::{Next, Transfer, parse};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, Vec<Vec<u8>>)| {
    let (first, more) = input;
    let Ok(request) = parse(&first) else { return };
    let mut transfer = Transfer::new(&request, Bytes::from(vec![7; 100_000]));
    let _ = transfer.resend();
    for packet in more {
        match transfer.receive(&packet) {
            Next::Over => return,
            Next::Wait => {}
            Next::Send(packets, _) => {
                assert!(packets.len() <= 16 && packets.iter().all(|p| p.len() <= 4 + 1468));
            }
        }
    }
});
