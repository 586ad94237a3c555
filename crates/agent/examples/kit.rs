//! Builds a boot kit: `cargo run -p agent --example kit -- OUT PROGRAM [KERNEL.deb]`.
use agent::kit::{Kernel, KitSpec, build};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(out), Some(binary)) = (words.next(), words.next()) else {
        return Err("give a folder and a program".into());
    };
    let kernel = words.next().map_or(Kernel::Debian, |deb| Kernel::Deb(deb.into()));
    let kit = build(&KitSpec {
        out: out.into(),
        binary: binary.into(),
        kernel,
        strip: true,
    })?;
    println!("{kit:#?}");
    Ok(())
}
