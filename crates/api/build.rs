//! Builds the crate anew when the console's files come or go: the macro that embeds them sees only those that are there.

fn main() {
    println!("cargo::rerun-if-changed=../../console/dist");
}
