//! `cargo xtask netbox`: a NetBox of its own, with PostgreSQL and Redis, and Busbar's import and export against it.
//!
//! NetBox is installed once under `target/peers` (from PyPI; its migrations take five CPU-minutes), and its database is
//! kept there for the next run; every run exports to a site of its own. Servers listen on loopback only and end with the
//! run. Needs Python 3.12 or newer (NetBox 4.7 does), which Debian 12 does not have: one of pyenv's is taken too.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command::{cmd, output, run};
use crate::daemon::{Busbar, free, until};
use crate::process::Process;

/// The release that the recorded shapes in the tests are of.
const NETBOX: &str = "netbox==4.7.3";
/// An API token of version 1: one of version 2 can't be chosen.
const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";
/// Longest path of a Unix socket, so that the socket folder is not below `target` (POSIX `sun_path`).
const SOCKETS: &str = "/tmp";

/// Sets NetBox up and runs everything against it.
pub fn check() -> Result<()> {
    crate::debian::install_also(&[
        ("postgresql", "NetBox's database"),
        ("redis-server", "NetBox's queue"),
        ("curl", "what other tools write to NetBox"),
    ])?;
    let folder = crate::target().join("peers").join("netbox");
    fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let began = Instant::now();
    let venv = installed(&folder)?;
    let ports = [free()?, free()?, free()?];
    let _postgres = postgres(&folder, ports[0])?;
    let _redis = redis(&folder, ports[1])?;
    configure(&folder, &venv, ports)?;
    let _netbox = serve(&folder, &venv, ports[2])?;
    println!("NetBox answers after {:.0} s", began.elapsed().as_secs_f64());
    scenario(&folder, ports[2])
}

/// The newest Python that NetBox runs on.
fn python() -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = ["python3.13", "python3.12", "python3"]
        .iter()
        .map(PathBuf::from)
        .collect();
    if let Some(home) = std::env::var_os("HOME") {
        let versions = fs::read_dir(Path::new(&home).join(".pyenv/versions"));
        found.extend(
            versions
                .into_iter()
                .flatten()
                .flatten()
                .map(|v| v.path().join("bin/python3")),
        );
    }
    let fits =
        |p: &PathBuf| output(Command::new(p).args(["-c", "import sys; assert sys.version_info >= (3, 12)"])).is_ok();
    found
        .into_iter()
        .find(fits)
        .context("NetBox needs Python 3.12 or newer, and there is none: Debian 13 has it, pyenv has it")
}

fn installed(folder: &Path) -> Result<PathBuf> {
    let venv = folder.join("venv");
    let marker = folder.join(NETBOX);
    if !marker.exists() {
        run(Command::new(python()?).args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", NETBOX]))?;
        fs::write(marker, "")?;
    }
    Ok(venv)
}

/// PostgreSQL refuses to run as root, so it runs as the user that Debian made for it; without root, as oneself.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("env");
    if crate::debian::is_root() {
        command = cmd("setpriv --reuid postgres --regid postgres --clear-groups");
    }
    command.arg(program).current_dir("/");
    command
}

fn postgres(folder: &Path, port: u16) -> Result<Process> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let bin = versions
        .flatten()
        .map(|v| v.path().join("bin"))
        .max()
        .context("PostgreSQL is not installed")?;
    let bin = |program: &str| bin.join(program).to_string_lossy().into_owned();
    // Below `/var/lib`, as the user `postgres` may not look into a home of root's.
    let data = if crate::debian::is_root() {
        PathBuf::from("/var/lib/postgresql/busbar-netbox")
    } else {
        folder.join("postgres")
    };
    if !data.join("PG_VERSION").exists() {
        let mut init = as_postgres(&bin("initdb"));
        run(init
            .args(["--auth=trust", "--username=netbox", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null()))?;
    }
    let mut server = as_postgres(&bin("postgres"));
    server
        .arg("-D")
        .arg(&data)
        .args(["-k", SOCKETS, "-p", &port.to_string()]);
    // What is measured is NetBox, and what is lost in a power cut is made again.
    server.args([
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "fsync=off",
        "-c",
        "synchronous_commit=off",
    ]);
    let server = Process::start("postgres", folder, &mut server)?;
    let psql = |what: &str| {
        let mut psql = Command::new(bin("psql"));
        output(psql.args([
            "-h",
            "127.0.0.1",
            "-U",
            "netbox",
            "-tA",
            "-p",
            &port.to_string(),
            "postgres",
            "-c",
            what,
        ]))
    };
    until("PostgreSQL", || psql("select 1").is_ok())?;
    if !psql("select datname from pg_database")?.lines().any(|l| l == "netbox") {
        psql("create database netbox")?;
    }
    Ok(server)
}

fn redis(folder: &Path, port: u16) -> Result<Process> {
    let mut server = Command::new("redis-server");
    server
        .args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--port",
            &port.to_string(),
            "--dir",
        ])
        .arg(folder);
    let server = Process::start("redis", folder, &mut server)?;
    until("Redis", || TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    Ok(server)
}

fn netbox(folder: &Path, venv: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(venv.join("bin/netbox"));
    command.args(arguments).env("NETBOX_ROOT", folder.join("root"));
    command
}

fn configure(folder: &Path, venv: &Path, [database, queue, _]: [u16; 3]) -> Result<()> {
    let root = folder.join("root");
    fs::create_dir_all(&root)?;
    run(netbox(folder, venv, &["setup", "--target"])
        .arg(&root)
        .stdout(Stdio::null()))?;
    let redis = |n: u8| format!("{{'HOST': '127.0.0.1', 'PORT': {queue}, 'DATABASE': {n}, 'SSL': False}}");
    let text = format!(
        "ALLOWED_HOSTS = ['*']\n\
         DATABASES = {{'default': {{'ENGINE': 'django.db.backends.postgresql', 'NAME': 'netbox', 'USER': 'netbox', 'PASSWORD': '', \
         'HOST': '127.0.0.1', 'PORT': '{database}', 'CONN_MAX_AGE': 300}}}}\n\
         REDIS = {{'tasks': {}, 'caching': {}}}\n\
         SECRET_KEY = 'for-a-test-on-loopback-and-nothing-else-0123456789-abcdefghij'\n\
         API_TOKEN_PEPPERS = {{1: 'for-a-test-on-loopback-and-nothing-else-0123456789-abcdefghij'}}\n",
        redis(0),
        redis(1)
    );
    fs::write(root.join("conf/configuration.py"), text)?;
    run(netbox(folder, venv, &["migrate", "--no-input", "--verbosity", "0"]).current_dir(folder))?;
    let user = format!(
        "from django.contrib.auth import get_user_model as m\nfrom users.models import Token as T\n\
         u = m().objects.filter(username='busbar').first() or m().objects.create_superuser('busbar', 'b@example.com', 'Busbar-0123456789')\n\
         if not T.objects.filter(user=u).exists():\n    t = T(user=u, version=1)\n    t.token = '{TOKEN}'\n    t.save()\n"
    );
    run(netbox(folder, venv, &["shell", "--verbosity", "0", "-c"]).arg(user))
}

fn serve(folder: &Path, venv: &Path, port: u16) -> Result<Process> {
    let mut server = Command::new(venv.join("bin/gunicorn"));
    server.args([
        "--workers",
        "1",
        "--threads",
        "3",
        "--timeout",
        "120",
        "--bind",
        &format!("127.0.0.1:{port}"),
        "netbox.wsgi",
    ]);
    server.env("NETBOX_ROOT", folder.join("root")).current_dir(folder);
    let server = Process::start("gunicorn", folder, &mut server)?;
    until("NetBox", || api(port, "GET", "status", None).is_ok())?;
    Ok(server)
}

/// What other tools write to NetBox.
fn api(port: u16, method: &str, path: &str, body: Option<&str>) -> Result<Value> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail-with-body", "--max-time", "60", "--request", method]);
    curl.args([
        "--header",
        &format!("Authorization: Token {TOKEN}"),
        "--header",
        "Content-Type: application/json",
    ]);
    if let Some(body) = body {
        curl.args(["--data", body]);
    }
    let text = output(curl.arg(format!("http://127.0.0.1:{port}/api/{path}/")))?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

fn scenario(folder: &Path, port: u16) -> Result<()> {
    /// Servers of the emulated rack, beside its one GPU box.
    const NODES: u32 = 9;
    let busbar = Busbar::up(folder, NODES, 27_431)?;
    let address = format!("http://127.0.0.1:{port}");
    let token = busbar.home.folder.join("token");
    fs::write(&token, TOKEN)?;
    let stamp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let site = format!("lab-{stamp}");
    // Asset tags and names are NetBox's own business; a site of its own keeps runs apart.
    let at = [
        "netbox",
        &address,
        "--netbox-token-file",
        token.to_str().context("a path in UTF-8")?,
    ];
    let export =
        |more: &'static [&'static str]| [&["export"], &at[..], &["--rack", "r1", "--site", &site], more].concat();
    let import = [&["import"], &at[..], &["--rack", "r1", "--site", &site]].concat();

    busbar.timed("what is seen is written down", &["import", "seen", "--rack", "r1"])?;
    busbar.timed("fsck", &["fsck", "r1"])?;
    let plan = busbar.timed("export, only planned", &export(&["--dry-run"]))?;
    ensure!(
        api(port, "GET", &format!("dcim/sites/?slug={site}&x="), None)?["count"] == 0,
        "a dry run wrote"
    );
    let done = busbar.timed("export", &export(&[]))?;
    let created = |text: &str| text.lines().filter(|l| l.starts_with('+')).count();
    ensure!(
        created(&plan) == created(&done) && created(&done) > 0,
        "the plan was another than what was done"
    );
    expect(
        &busbar.timed("export again", &export(&[]))?,
        "created 0, changed 0, deleted 0",
    )?;
    busbar.timed("import", &import)?;
    expect(&busbar.timed("import again", &import)?, "0 changes")?;
    expect(&busbar.timed("fsck", &["fsck", "r1"])?, "nothing differs")?;

    // Someone changes NetBox: a serial, and a device that nobody has seen.
    let devices = api(port, "GET", &format!("dcim/devices/?site={site}&limit=100&x="), None)?;
    let devices = devices["results"].as_array().context("a list of devices")?;
    ensure!(devices.len() as u32 == NODES + 3, "{} devices in NetBox", devices.len());
    let u1 = devices
        .iter()
        .find(|d| d["name"] == "r1-u1")
        .context("r1-u1 in NetBox")?;
    api(
        port,
        "PATCH",
        &format!("dcim/devices/{}", u1["id"]),
        Some(r#"{"serial": "SWAPPED1"}"#),
    )?;
    let other = format!(
        r#"{{"name": "spare", "device_type": {}, "role": {}, "site": {}, "rack": {}, "position": 40, "face": "front"}}"#,
        u1["device_type"]["id"], u1["role"]["id"], u1["site"]["id"], u1["rack"]["id"]
    );
    api(port, "POST", "dcim/devices", Some(&other))?;
    expect(&busbar.timed("import of what others changed", &import)?, "2 changes")?;
    let differs = busbar
        .call(&["fsck", "r1"])
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    for found in ["SWAPPED1", "r1/u40", "2 differences"] {
        ensure!(differs.contains(found), "fsck does not say `{found}`: {differs}");
    }
    println!("fsck finds the two differences, and no other");
    Ok(())
}

fn expect(said: &str, what: &str) -> Result<()> {
    if !said.contains(what) {
        bail!("`{what}` was expected, and this was said:\n{said}");
    }
    Ok(())
}
