//! The agent alone as the first process, for trying the boot kit without the rest of Busbar.
fn main() {
    agent::init()
}
