//! The real binary from a shell, on an emulated rack over real sockets: what a user does, and what must come of it.

#![allow(clippy::unwrap_used)]

mod common;

use common::{PASSWORD, Rack};
use serde_json::Value;

/// A rack in which a machine is made within seconds.
const FAST: f64 = 50.0;

#[test]
fn a_machine_is_run_shown_explained_traced_and_given_back_with_proof() {
    let rack = Rack::start(3, FAST);
    let run = rack.busbar("run demo --name web-1 --login ada").ok();
    assert!(run.out.contains("✓ write"), "{run:?}");
    assert!(run.out.contains("web-1 is up: ssh -p 2222 ada@127."), "{run:?}");
    let ps = rack.busbar("ps").ok().out;
    assert!(ps.contains("web-1") && ps.contains("32c 256G"), "{ps}");
    assert!(rack.busbar("why web-1").ok().out.contains("because a login answers"));
    assert!(rack.busbar("trace web-1").ok().out.contains("first boot"));
    let nice = rack.busbar("nice -n -10 web-1").ok().out;
    assert!(nice.starts_with("web-1 has nice -10 (was 0): "), "{nice}");
    assert_eq!(rack.busbar("ps --json").ok().json()[0]["ask"]["nice"], -10);
    assert!(rack.busbar("nice web-1").ok().out.contains("web-1  -10  R "));
    let some = rack.busbar("nice -n 5 web-1 no-one");
    assert!(some.code == 7 && some.err.contains("no-one"), "{some:?}");
    let rm = rack.busbar("rm web-1 --yes").ok();
    assert!(!rm.out.contains("first boot"), "the install is not told again: {rm:?}");
    assert!(rm.out.contains("web-1 is wiped and given back") && rm.out.contains("samples read back: clean"));
    let key = rm.out.lines().last().unwrap().trim().replace("busbar ", "");
    assert_eq!(rack.busbar(&key).ok().json()["disks"][0]["clean"], true);
    let ls = rack.busbar("ls --json").ok().json();
    assert!(ls.as_array().unwrap().iter().all(|n| n["holder"].is_null()));
    assert!(!rack.busbar("ps").ok().out.contains("web-1"));
    assert!(rack.busbar("ps --all").ok().out.contains("web-1"));
}

#[test]
fn each_kind_of_failure_has_its_exit_code_and_says_what_to_do() {
    let rack = Rack::start(1, FAST);
    assert_eq!(rack.busbar("run").code, 2);
    assert_eq!(rack.busbar("run demo --nice 77 --name x").code, 2);
    assert_eq!(rack.busbar("rm no-one").code, 3);
    assert_eq!(rack.busbar("nice -n 20 no-one").code, 2);
    assert_eq!(rack.busbar("nice -n 19 no-one").code, 3);
    assert_eq!(rack.busbar("nice no-one").code, 3);
    assert_eq!(rack.busbar("run no-image").code, 3);
    assert_eq!(rack.busbar("explain BB9999").code, 3);

    let refused = rack.busbar("run demo --memory 512T");
    assert_eq!(refused.code, 4);
    assert!(
        refused.err.starts_with("Refused: ") && refused.err.contains("fits if"),
        "{refused:?}"
    );
    assert!(refused.err.contains("r1/u1") && refused.err.ends_with("Nothing was changed.\n"));

    // One server: the first gets it, the name is taken, and there is no room for another.
    let late = rack.with(&["run", "demo", "--name", "web", "--on", "r1/u1", "--timeout", "0"]);
    assert_eq!(late.code, 6, "{late:?}");
    assert!(late.err.contains("the work goes on"));
    assert_eq!(rack.busbar("run demo --name web").code, 5);
    assert_eq!(rack.busbar("run demo --name other --on r1/u1").code, 4);
    rack.until("what was not waited for runs", || {
        rack.busbar("ps --json").json()[0]["status"]["state"] == "running"
    });

    let held = rack.busbar("disarm r1");
    assert_eq!(held.code, 8);
    assert!(
        held.err.starts_with("Refused: ") && held.err.contains("busbar rm web"),
        "{held:?}"
    );
    assert_eq!(rack.busbar("rm web").code, 2, "nobody is here to be asked");
    rack.busbar("rm web --yes").ok();
    rack.busbar("disarm r1").ok();
    let unarmed = rack.busbar("run demo");
    assert_eq!(unarmed.code, 4);
    assert!(unarmed.err.contains("busbar arm r1"), "{unarmed:?}");
    assert_eq!(rack.busbar("--url https://127.0.0.1:9 ls").code, 9);
}

#[test]
fn of_two_who_want_the_only_server_at_once_one_is_refused() {
    let rack = Rack::start(1, FAST);
    let codes = std::thread::scope(|s| {
        let ask = |name: &'static str| {
            let rack = &rack;
            s.spawn(move || {
                rack.with(&["run", "demo", "--on", "r1/u1", "--detach", "--name", name])
                    .code
            })
        };
        let both = [ask("a"), ask("b")];
        let mut codes = both.map(|t| t.join().unwrap());
        codes.sort();
        codes
    });
    assert_eq!(codes, [0, 4]);
}

#[test]
fn every_command_speaks_json() {
    let rack = Rack::start(2, FAST);
    for words in [
        "",
        "ls",
        "ls r1/u1",
        "tree",
        "ps",
        "run demo --name web",
        "run demo --dry-run",
        "run demo --detach --name two",
        "ps",
        "cat r1/u1/watts",
        "free",
        "free r1",
        "top",
        "cat r1/u1",
        "why web",
        "why r1/u2",
        "trace web",
        "kill -TERM web --dry-run",
        "nice",
        "nice -n 19 web --dry-run",
        "rm web --dry-run",
        "rm web --yes",
        "cordon r1/u1 --dry-run",
        "arm r1 --dry-run",
        "image ls",
        "credential ls",
        "token ls",
        "token make robot",
        "token revoke robot",
        "token show-context",
        "token show-context --link",
        "emulate ls",
        "emulate faults",
        "emulate load r1/u1 0.5",
        "emulate fault r1/u1 fail-fan fan=1",
        "emulate clear --all",
        "emulate step 1s",
        "emulate speed 50",
        "doctor",
        "explain BB0401",
        "version",
        "dump everything.dump",
    ] {
        let folder = rack.folder.path().join("everything.dump");
        let words = words.replace("everything.dump", folder.to_str().unwrap());
        rack.busbar(&format!("{words} --json")).ok().json();
    }
    for line in rack.busbar("dmesg --json").ok().out.lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap()["sequence"].is_u64());
    }
    let refused = rack.busbar("rm no-one --yes --json");
    assert_eq!((refused.code, refused.json()["code"].as_str()), (3, Some("BB0301")));
}

#[test]
fn a_dry_run_changes_nothing_and_where_it_cannot_be_had_it_is_refused() {
    let rack = Rack::start(2, FAST);
    rack.busbar("run demo --name web").ok();
    let revision = || rack.busbar("--json").ok().json()["revision"].clone();
    let seen = || {
        let all = rack.busbar("ls --json").ok().json();
        let keep = |n: &Value| (n["holder"].clone(), n["armed"].clone(), n["cordoned"].clone());
        all.as_array().unwrap().iter().map(keep).collect::<Vec<_>>()
    };
    let (before, was) = (revision(), seen());
    for words in [
        "run demo --dry-run",
        "rm web --dry-run",
        "kill -TERM web --dry-run",
        "nice -n -10 web --dry-run",
        "disarm r1/u2 --dry-run",
        "cordon r1/u2 --dry-run",
        "uncordon r1/u2 --dry-run",
    ] {
        rack.busbar(words).ok();
    }
    assert_eq!(seen(), was);
    assert_eq!(revision(), before, "something was written");
    let token = rack.token();
    for (method, path, body) in [
        ("POST", "/v1/tokens?dry_run=true", r#"{"name":"x","role":"reader"}"#),
        ("DELETE", "/v1/images/demo?dry_run=true", ""),
        (
            "PUT",
            "/v1/credentials/x?dry_run=true",
            r#"{"user":"u","password":"p"}"#,
        ),
        ("POST", "/v1/dump?dry_run=true", ""),
    ] {
        let answer = rack.api(method, path, Some(&token), body.into());
        assert_eq!(answer.status, 400, "{method} {path}: {answer:?}");
    }
    assert_eq!(revision(), before);
}

#[test]
fn a_daemon_that_is_killed_in_mid_install_finishes_it_when_it_is_back() {
    let mut rack = Rack::start(1, FAST);
    rack.with(&[
        "emulate",
        "fault",
        r#"{"on":{"at":"r1/u1"},"action":"slow_disk","millis":2000}"#,
    ])
    .ok();
    rack.busbar("run demo --name web --detach").ok();
    let state = |rack: &Rack| {
        let answer = rack.busbar("ps --json");
        assert_eq!(answer.code, 0, "{answer:?}\n{}", common::tail(&rack.log()));
        answer.json()[0]["status"]["state"].clone()
    };
    rack.until("it installs", || state(&rack) == "installing");
    rack.kill();
    rack.up();
    rack.until("it runs", || state(&rack) == "running");
    rack.busbar("rm web --yes").ok();
}

#[test]
fn a_dump_restored_into_a_new_folder_holds_the_same() {
    let rack = Rack::start(2, FAST);
    rack.busbar("run demo --name web").ok();
    rack.busbar("cordon r1/u2 --why dusty").ok();
    let dump = rack.folder.path().join("rack.dump");
    rack.with(&["dump", dump.to_str().unwrap()]).ok();
    let new = rack.folder.path().join("new");
    rack.with(&["restore", dump.to_str().unwrap(), "--state", new.to_str().unwrap()])
        .ok();
    let read = |file: &std::path::Path| {
        let all = dumped::objects(file);
        assert!(!all.is_empty());
        all
    };
    assert_eq!(read(&new.join("busbar.db")), read(&dump));
    assert_ne!(
        rack.with(&["restore", dump.to_str().unwrap(), "--state", new.to_str().unwrap()])
            .code,
        0,
        "a state that is there is not written over"
    );
}

/// The objects of a store, through the store's own words.
mod dumped {
    use store::Store as _;

    pub fn objects(file: &std::path::Path) -> Vec<(String, Vec<u8>)> {
        let copy = file.with_extension("copy");
        std::fs::copy(file, &copy).unwrap();
        let store = store::Sqlite::open(&copy).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (_, all) = store.list("").await.unwrap();
            all.iter().map(|o| (o.key.to_string(), o.value.to_vec())).collect()
        })
    }
}

/// Invariant I10.
#[test]
fn secrets_stand_in_no_answer_no_log_and_no_dump() {
    let rack = Rack::start(1, FAST);
    let (password, data) = ("Hunter2-of-the-bench", "s3cret-of-the-user-data");
    rack.fed("credential set bench --user root", &format!("{password}\n"))
        .ok();
    let file = rack.folder.path().join("user-data");
    std::fs::write(&file, format!("#cloud-config\n# {data}\n")).unwrap();
    rack.with(&["run", "demo", "--name", "web", "--user-data", file.to_str().unwrap()])
        .ok();
    let made = rack.busbar("token make robot --role operator").ok().out;
    let robot = made.trim();
    let dump = rack.folder.path().join("state/rack.dump");
    rack.with(&["dump", dump.to_str().unwrap()]).ok();

    let admin = rack.token();
    let mut told = vec![rack.log(), rack.busbar("dmesg --json").ok().out];
    for path in [
        "status",
        "nodes",
        "machines",
        "machines/web",
        "tree",
        "tokens",
        "credentials",
        "events",
        "why/web",
    ] {
        told.push(rack.api("GET", &format!("/v1/{path}"), Some(&admin), Vec::new()).body);
    }
    for secret in [password, data, robot, &admin] {
        assert!(told.iter().all(|t| !t.contains(secret)), "{secret} was told");
    }
    // The emulated rack's own password is a word of its own; as JSON it is found only if a credential is told.
    let emulated = format!("\"password\":\"{PASSWORD}\"");
    assert!(told.iter().all(|t| !t.contains(&emulated)));
    for (path, bytes) in rack.files() {
        let own = path.file_name().is_some_and(|n| n == "context.json");
        for secret in [password, robot, &admin] {
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(
                !found || (own && secret == admin),
                "{secret} stands in {}",
                path.display()
            );
        }
    }
}

/// Each fault is on a box of its own, all at once. A command that gets no answer tells the daemon as much as its own next
/// look would, so nobody waits for that.
#[test]
fn a_bmc_that_misbehaves_is_named_and_the_others_go_on() {
    let rack = Rack::start(4, FAST);
    let silent = |place: &str| {
        let all = rack.busbar("ls --json").ok().json();
        let node = all.as_array().unwrap().iter().find(|n| n["place"] == place).unwrap();
        !node["live"]["silent"].is_null()
    };
    // `status` and `reset` are tried on the driver itself, over sockets, in `hardware`
    let faults = [
        ("r1/u2", r#""action":"broken_json""#),
        ("r1/u3", r#""action":"wrong_password""#),
        ("r1/u4", r#""action":"hang""#),
    ];
    std::thread::scope(|s| {
        for (place, action) in faults {
            let (rack, silent) = (&rack, &silent);
            s.spawn(move || {
                let fault = format!(r#"{{"on":{{"at":"{place}"}},{action}}}"#);
                let id = rack.with(&["emulate", "fault", &fault, "--json"]).ok().json()["id"].clone();
                assert_ne!(rack.busbar(&format!("log {place}")).code, 0, "{action}");
                rack.until(action, || silent(place));
                assert!(
                    rack.busbar(&format!("why {place}"))
                        .ok()
                        .out
                        .contains("its BMC is silent")
                );
                assert!(rack.busbar("ls").ok().out.contains("no answer from BMC"));
                assert!(!silent("r1/u1"));
                rack.busbar(&format!("emulate clear {id}")).ok();
                rack.until("it answers again", || !silent(place));
            });
        }
        // While they are silent, the rest of the rack works.
        rack.busbar("run demo --name web --on r1/u1").ok();
    });
}

/// Invariant I4.
#[test]
fn what_is_not_armed_is_only_read() {
    let rack = Rack::start(2, FAST);
    rack.busbar("disarm r1/u2").ok();
    // A fault that delays by nothing counts what it sees.
    let count = |method: &str| {
        let fault = format!(r#"{{"on":{{"at":"r1/u2","method":"{method}"}},"action":"delay","millis":0}}"#);
        rack.with(&["emulate", "fault", &fault, "--json"]).ok().json()["id"].clone()
    };
    let get = count("GET");
    let writes = ["POST", "PATCH", "PUT", "DELETE"].map(count);
    let hits = |id: &Value| {
        let all = rack.busbar("emulate faults --json").ok().json();
        let one = all.as_array().unwrap().iter().find(|f| f["id"] == *id).unwrap();
        one["hits"].as_u64().unwrap()
    };
    assert_eq!(rack.busbar("run demo --on r1/u2").code, 4);
    rack.busbar("run demo --name web").ok();
    rack.busbar("rm web --yes").ok();
    rack.until("it was read", || hits(&get) > 3);
    assert_eq!(writes.each_ref().map(hits), [0; 4]);
}

#[test]
fn a_disk_that_is_too_small_and_a_file_that_is_no_disk_are_told_apart() {
    let rack = Rack::start(1, FAST);
    let file = rack.folder.path().join("letter.txt");
    std::fs::write(&file, "Dear rack,\n".repeat(1000)).unwrap();
    let wrong = rack.with(&["image", "add", "letter", file.to_str().unwrap()]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.err.contains("try  busbar image add"), "{wrong:?}");
    assert!(!rack.busbar("image ls").ok().out.contains("letter"));
    let none = rack.busbar("image add ghost /there/is/no/such.raw");
    assert_eq!(none.code, 1, "{none:?}");
    let small = rack.busbar("run demo --disk 500TB");
    assert_eq!(small.code, 4);
    assert!(small.err.contains("disk"), "{small:?}");
}

#[test]
fn a_token_does_what_its_role_allows_until_it_is_revoked() {
    let rack = Rack::start(1, FAST);
    let make = |name: &str, role: &str| {
        let made = rack.busbar(&format!("token make {name} --role {role}")).ok();
        made.out.trim().to_owned()
    };
    let (reader, operator) = (make("r", "reader"), make("o", "operator"));
    rack.as_token(&reader, "ls").ok();
    let refused = rack.as_token(&reader, "run demo");
    assert_eq!(refused.code, 8);
    assert!(
        refused.err.starts_with("Refused: ") && refused.err.contains("reader"),
        "{refused:?}"
    );
    assert_eq!(rack.as_token(&operator, "disarm r1").code, 8);
    rack.as_token(&operator, "run demo --dry-run").ok();
    rack.busbar("token revoke r").ok();
    assert_eq!(rack.as_token(&reader, "ls").code, 8);
    assert_eq!(rack.as_token("", "ls").code, 8);
}

#[test]
fn the_api_answers_every_wrong_request_with_a_problem_document() {
    let rack = Rack::start(1, FAST);
    let token = rack.token();
    let problem = |method: &str, path: &str, token: Option<&str>, body: Vec<u8>, status: u16| {
        let answer = rack.api(method, path, token, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(answer.kind, "application/problem+json");
        let p: Value = serde_json::from_str(&answer.body).unwrap();
        for field in ["type", "title", "status", "detail", "code"] {
            assert!(!p[field].is_null(), "{field} of {p}");
        }
        assert_eq!(p["status"], status);
        (answer.challenge, p["detail"].as_str().unwrap().to_owned())
    };
    let (challenge, _) = problem("GET", "/v1/nodes", None, Vec::new(), 401);
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    problem("GET", "/v1/nodes", Some("wrong"), Vec::new(), 401);
    let (_, detail) = problem("POST", "/v1/machines", Some(&token), br#"{"colour":"red"}"#.into(), 400);
    assert!(detail.contains("colour"), "{detail}");
    let (_, detail) = problem(
        "POST",
        "/v1/machines",
        Some(&token),
        br#"{"ssh_keys":["a",7]}"#.into(),
        400,
    );
    assert!(detail.contains("ssh_keys[1]"), "{detail}");
    problem("POST", "/v1/machines", Some(&token), b"{".into(), 400);
    let large = format!(r#"{{"user_data":"{}"}}"#, "x".repeat(1 << 20));
    problem("POST", "/v1/machines", Some(&token), large.into(), 413);
    problem("GET", "/v1/machines/none", Some(&token), Vec::new(), 404);
    problem("GET", "/v1/nothing", Some(&token), Vec::new(), 404);
    problem("PATCH", "/v1/machines", Some(&token), Vec::new(), 405);
    problem("GET", "/v1/nodes?colour=red", Some(&token), Vec::new(), 400);
}

/// Each described operation is there: none answers as an unknown path or method does.
#[test]
fn every_route_of_the_description_is_served_and_none_without_a_token() {
    let rack = Rack::start(1, FAST);
    let api: Value = serde_json::from_str(&rack.api("GET", "/v1/openapi.json", None, Vec::new()).body).unwrap();
    let mut operations = 0;
    for (path, item) in api["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "delete", "patch"]
            .iter()
            .filter(|m| !item[**m].is_null())
        {
            operations += 1;
            let path = path.replace(['{', '}'], "");
            let answer = rack.api(&method.to_uppercase(), &path, None, Vec::new());
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
        }
    }
    assert!(operations >= 25, "{operations}");
}

/// The README's console blocks are run in order and must answer as it says.
#[test]
fn every_command_of_the_readme_answers_as_it_says() {
    let text = include_str!("../README.md");
    let blocks = text
        .split("```console\n")
        .skip(1)
        .map(|b| b.split("```").next().unwrap());
    let rack = Rack::start(9, FAST);
    let ssh = rack.folder.path().join(".ssh");
    std::fs::create_dir(&ssh).unwrap();
    std::fs::write(ssh.join("id.pub"), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ada\n").unwrap();
    let mut ran = 0;
    for block in blocks {
        for part in block.split("$ ").skip(1) {
            let (command, shown) = part.split_once('\n').unwrap();
            let answer = match command.strip_prefix("busbar ") {
                Some(words) => {
                    let answer = rack.busbar(words);
                    ran += 1;
                    answer.out + &answer.err
                }
                None if command.ends_with("-- up --emulate") => rack.greeting(),
                None => continue,
            };
            let (shown, answered) = (normal(shown), normal(&answer));
            assert_eq!(answered, shown, "$ {command}\n{answer}");
        }
    }
    assert!(ran >= 3, "{ran} commands");
}

/// What of an answer is the same each time: words, without numbers, hashes, paths and the width of columns and bars.
fn normal(text: &str) -> Vec<String> {
    let line = |l: &str| {
        let words = l.split_whitespace().map(|w| {
            let hash = w.len() > 16 && w.chars().filter(char::is_ascii_digit).count() > 4;
            if hash || w.starts_with("token") || w.contains("context.json") {
                return "#".to_owned();
            }
            let mut out = String::new();
            for c in w.chars() {
                match c {
                    '0'..='9' | '.' if out.ends_with('#') => {}
                    '0'..='9' => out.push('#'),
                    '█' | '(' | ')' => {}
                    '—' => out.push('#'),
                    c => out.push(c),
                }
            }
            out
        });
        words.filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
    };
    // How far a write is comes as often as it comes.
    let told = text.lines().filter(|l| !l.contains("at most"));
    told.map(line).filter(|l| !l.is_empty()).collect()
}
