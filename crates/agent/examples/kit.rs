//! Builds a boot kit: `cargo run -p agent --example kit -- OUT PROGRAM`.
use agent::kit::{Kernel, KitSpec, build};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(out), Some(binary)) = (words.next(), words.next()) else {
        return Err("give a folder and a program".into());
    };
    let kit = build(&KitSpec {
        out: out.into(),
        binary: binary.into(),
        kernel: Kernel::Debian,
        strip: true,
    })?;
    println!("{kit:#?}");
    Ok(())
}
