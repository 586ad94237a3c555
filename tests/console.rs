//! Serial consoles through the whole house: recorded before anyone looks, read again after a restart, typed at by one, and
//! refused when the host key is another.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Answer, Rack};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;

/// `busbar` on a terminal of its own.
struct Terminal {
    child: Child,
    keys: std::fs::File,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn start(rack: &Rack, words: &str) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = || Stdio::from(std::fs::File::options().read(true).write(true).open(&name).unwrap());
        let mut command = rack.command();
        command.args(words.split_whitespace());
        let child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
        let keys = std::fs::File::from(master);
        let (mut screen, seen) = (keys.try_clone().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let shown = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = screen.read(&mut buffer) {
                shown.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        Terminal { child, keys, seen }
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    #[track_caller]
    fn shows(&self, rack: &Rack, what: &str) {
        rack.until(&format!("the terminal shows {what:?}: {}", self.screen()), || {
            self.screen().contains(what)
        });
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    #[track_caller]
    fn leaves(mut self) {
        self.types("\x1d");
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.screen());
    }
}

/// The commands of the README's section, without what is said of them.
fn readme() -> Vec<&'static str> {
    let text = include_str!("../README.md");
    let section = text.split("## Console").nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let words = |l: &'static str| l.split('#').next().unwrap().trim().strip_prefix("busbar ").unwrap();
    block.lines().map(words).collect()
}

fn recorded(rack: &Rack, of: &str) -> Answer {
    rack.busbar(&format!("console {of} --no-follow"))
}

#[test]
fn a_console_is_recorded_from_the_first_boot_on_and_one_types_at_it() {
    let mut rack = Rack::start(2, 20.0);
    rack.busbar("run demo --name web-1 --on r1/u1").ok();
    rack.until("its record reaches from the installer to the login", || {
        let seen = recorded(&rack, "web-1").ok().out;
        seen.contains("agent: opens") && seen.contains("web-1 login: ")
    });

    let mut mine = Terminal::start(&rack, "console web-1");
    mine.shows(&rack, "agent: opens");
    mine.shows(&rack, "web-1 login: ");
    mine.types("root\r");
    mine.shows(&rack, "root\r\nPassword: ");
    mine.types("hunter2\r");
    mine.shows(&rack, "Login incorrect");

    // Another terminal is refused, says who has the pen, and sees everything all the same.
    let mut other = Terminal::start(&rack, "console web-1");
    other.shows(&rack, "Login incorrect");
    other.types("x");
    other.shows(&rack, "admin types at r1/u1 since");
    other.leaves();
    let token = rack.context()["token"].as_str().unwrap().to_owned();
    let input = |data: &str, take: bool| {
        let body = json!({"writer": "a program", "data": STANDARD.encode(data), "take": take});
        let body = serde_json::to_vec(&body).unwrap();
        rack.api("POST", "/v1/consoles/web-1", Some(&token), body)
    };
    let refused = input("x", false);
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("BB0402"), "{}", refused.body);
    assert_eq!(input("ada", true).status, 204);
    mine.shows(&rack, "login: ada");
    mine.types("z");
    mine.shows(&rack, "[admin types at r1/u1");
    mine.leaves();
    let mut taker = Terminal::start(&rack, "console web-1 --take");
    taker.types("-lovelace\r");
    taker.shows(&rack, "ada-lovelace\r\nPassword: ");
    taker.leaves();
    assert_eq!(input("\r", false).status, 204, "the pen was given back");

    let audit = rack.busbar("dmesg").ok().out;
    assert!(audit.contains("serial console is held open"), "{audit}");
    assert!(audit.contains("types at the serial console"), "{audit}");
    assert!(!audit.contains("hunter2") && !rack.log().contains("hunter2"));

    // Long polls answer from an offset on; one that was never reached is answered with the end.
    let page = |query: &str| {
        let reply = rack.api("GET", &format!("/v1/consoles/web-1{query}"), Some(&token), Vec::new());
        assert_eq!(reply.status, 200, "{}", reply.body);
        serde_json::from_str::<serde_json::Value>(&reply.body).unwrap()
    };
    let all = page("");
    let next = all["next"].as_u64().unwrap();
    assert_eq!((all["from"].as_u64(), all["lost"].as_u64()), (Some(0), Some(0)));
    assert_eq!(page(&format!("?from={}", next - 2))["from"], next - 2);
    assert_eq!(page("?from=99999999")["from"], page("")["next"]);

    for words in readme() {
        let terminal = Terminal::start(&rack, words);
        terminal.shows(&rack, "web-1 login: ");
        if words.contains("--no-follow") {
            let mut child = terminal.child;
            assert_eq!(child.wait().unwrap().code(), Some(0));
        } else {
            terminal.leaves();
        }
    }

    // A reader has no business at a console, and an unarmed box is not opened.
    let made = rack.busbar("token make looks --role reader --json").ok().json();
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(rack.as_token(secret, "console web-1").code, 8);
    rack.busbar("disarm r1/u2 --yes").ok();
    let refused = rack.busbar("console r1/u2");
    assert_eq!(refused.code, 8, "{refused:?}");
    assert!(refused.err.contains("busbar arm r1/u2"), "{}", refused.err);
    assert_eq!(rack.busbar("console nobody").code, 3);

    // What was recorded outlives the daemon, and the console is opened again.
    rack.kill();
    rack.up();
    let before = recorded(&rack, "web-1").ok().out;
    assert!(before.contains("agent: opens"), "{before}");
    rack.until("it is typed at again", || {
        let body = json!({"writer": "w", "data": STANDARD.encode("\r")});
        let sent = rack.api(
            "POST",
            "/v1/consoles/web-1",
            Some(&token),
            serde_json::to_vec(&body).unwrap(),
        );
        sent.status == 204 && recorded(&rack, "web-1").out.len() > before.len()
    });

    // The next machine on the box does not read what this one said.
    rack.busbar("rm web-1 --yes").ok();
    rack.busbar("run demo --name web-2 --on r1/u1").ok();
    rack.until("the next has a login", || {
        recorded(&rack, "web-2").out.contains("web-2 login: ")
    });
    assert!(!recorded(&rack, "web-2").out.contains("web-1"));
}

#[test]
fn a_console_behind_ssh_pins_its_host_key_and_another_is_refused_until_it_is_trusted() {
    let mut rack = Rack::start(1, 20.0);
    rack.busbar("run demo --gpu 1 --name gpu-1").ok();
    rack.until("its login is recorded over SSH", || {
        recorded(&rack, "gpu-1").out.contains("gpu-1 login: ")
    });
    let place = rack.busbar("ps --json").ok().json()[0]["status"]["place"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(rack.busbar("dmesg").ok().out.contains("host key is SHA256:"));

    // The controller comes back as another one, and gets no password.
    rack.kill();
    std::fs::remove_file(rack.folder.path().join("state/emulator/state.ssh-seed")).unwrap();
    rack.up();
    rack.until("the other host key is refused", || {
        recorded(&rack, "gpu-1").err.contains("so no password was sent")
    });
    let seen = recorded(&rack, "gpu-1");
    assert!(
        seen.out.contains("gpu-1 login: ") && seen.err.contains("busbar trust"),
        "{seen:?}"
    );
    rack.busbar(&format!("trust {place}")).ok();
    rack.until("the console is open again", || {
        let seen = recorded(&rack, "gpu-1");
        seen.code == 0 && seen.err.is_empty()
    });
    assert_eq!(rack.busbar("dmesg").ok().out.matches("host key is SHA256:").count(), 2);
}
