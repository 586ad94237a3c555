//! Commands that keep house.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Result;
use api::problem::Problem;
use rack::Place;
use reqwest::Method;
use serde_json::{Value, json};

use super::machine::confirm;
use crate::cli::{ArmOptions, Cli, Credential, Image, RoleName, Token};
use crate::client::{Client, Failure, fail};
use crate::context::Context;
use crate::output::{self, Table, plain};

/// Prints an answer as JSON, or a line in its place.
fn say(cli: &Cli, answer: &Value, line: impl std::fmt::Display) -> Result<u8> {
    if cli.json {
        output::json(answer, false)?;
    } else {
        output::text(line);
    }
    Ok(0)
}

pub async fn arm(cli: &Cli, client: &Client, o: &ArmOptions, armed: bool) -> Result<u8> {
    if armed && !o.dry_run {
        let what = format!(
            "Armed, {} may be switched, netbooted and overwritten: what is on its disks is lost at the first `run`.",
            o.place
        );
        confirm(&what, o.yes)?;
    }
    let path = if o.dry_run { "/v1/arm?dry_run=true" } else { "/v1/arm" };
    let answer = client
        .call(Method::POST, path, Some(json!({"place": o.place, "armed": armed})))
        .await?;
    let word = if armed { "armed" } else { "disarmed" };
    let dry = if o.dry_run {
        "Nothing was changed: would have "
    } else {
        ""
    };
    say(
        cli,
        &answer,
        format!("{dry}{word} {} nodes", answer.as_array().map_or(0, Vec::len)),
    )
}

pub async fn cordon(cli: &Cli, client: &Client, place: &Place, why: Option<&String>, dry: bool) -> Result<u8> {
    let path = if dry { "/v1/cordon?dry_run=true" } else { "/v1/cordon" };
    let answer = client
        .call(Method::POST, path, Some(json!({"place": place, "why": why})))
        .await?;
    let word = if why.is_some() { "cordoned" } else { "uncordoned" };
    say(
        cli,
        &answer,
        if dry {
            format!("Would be {word}: {place}. Nothing was changed.")
        } else {
            format!("{place} is {word}")
        },
    )
}

pub async fn discover(cli: &Cli, client: &Client, body: Value) -> Result<u8> {
    let answer = client.call(Method::POST, "/v1/discover", Some(body)).await?;
    let list = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let (nodes, problems) = (list("nodes"), list("problems"));
    if cli.json {
        output::json(&answer, false)?;
    } else {
        for node in &nodes {
            output::text(plain(&format!(
                "{}  {}",
                node["place"].as_str().unwrap_or("?"),
                node["identity"]["model"].as_str().unwrap_or("—")
            )));
        }
        problems
            .iter()
            .for_each(|p| output::note(plain(p.as_str().unwrap_or_default())));
    }
    Ok(match (nodes.is_empty(), problems.is_empty()) {
        (_, true) => 0,
        (true, false) => 9,
        (false, false) => 7,
    })
}

/// Longest password file.
const PASSWORD: u64 = 4096;

/// From a file, from a terminal without echo, or from standard input; never from the command line.
pub(super) fn password(file: Option<&Path>) -> Result<String> {
    let mut text = String::new();
    let stdin = std::io::stdin();
    if let Some(file) = file {
        std::fs::File::open(file)?.take(PASSWORD).read_to_string(&mut text)?;
    } else if stdin.is_terminal() {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(&stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        eprint!("Password: ");
        tcsetattr(&stdin, OptionalActions::Flush, &silent)?;
        let read = stdin.lock().read_line(&mut text);
        tcsetattr(&stdin, OptionalActions::Flush, &before)?;
        eprintln!();
        read?;
    } else {
        stdin.lock().take(PASSWORD).read_line(&mut text)?;
    }
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

pub async fn credential(cli: &Cli, client: &Client, what: &Credential) -> Result<u8> {
    match what {
        Credential::Set {
            name,
            user,
            password_file,
        } => {
            let body = json!({"user": user, "password": password(password_file.as_deref())?});
            let answer = client
                .call(Method::PUT, &format!("/v1/credentials/{name}"), Some(body))
                .await?;
            say(cli, &answer, format!("credential {name} is set"))
        }
        Credential::Ls => {
            let answer = client.get("/v1/credentials").await?;
            let names: Vec<&str> = answer
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            say(cli, &answer, names.join("\n"))
        }
        Credential::Rotate { name } => super::hardware::rotate(cli, client, name).await,
    }
}

pub async fn trust(cli: &Cli, client: &Client, place: &Place) -> Result<u8> {
    let answer = client
        .call(Method::POST, "/v1/trust", Some(json!({ "place": place })))
        .await?;
    say(
        cli,
        &answer,
        format!(
            "{place}: trusts {}",
            plain(answer["certificate"].as_str().unwrap_or("?"))
        ),
    )
}

pub async fn image(cli: &Cli, client: &Client, what: &Image) -> Result<u8> {
    match what {
        Image::Add { name, source } => {
            // The daemon may stand in another folder.
            let path = Path::new(source);
            let source = if path.exists() {
                std::fs::canonicalize(path)?.to_string_lossy().into_owned()
            } else {
                source.clone()
            };
            add_image(cli, client, json!({"name": name, "source": source})).await
        }
        Image::Ls => {
            let answer = client.get("/v1/images").await?;
            let mut table = Table::new(&["NAME", ">STORED", ">DISK", "DIGEST", "FROM"]);
            for image in answer.as_array().into_iter().flatten() {
                let i: rack::Image = serde_json::from_value(image.clone())?;
                let digest: String = i.digest.chars().take(19).collect();
                table.row(vec![
                    i.name.to_string(),
                    i.stored.decimal(),
                    i.raw.decimal(),
                    digest,
                    i.source,
                ]);
            }
            say(cli, &answer, table)
        }
        Image::Rm { name, yes } => {
            confirm(&format!("The image {name} and its bytes go."), *yes)?;
            let answer = client.call(Method::DELETE, &format!("/v1/images/{name}"), None).await?;
            say(cli, &answer, format!("image {name} is removed"))
        }
    }
}

async fn add_image(cli: &Cli, client: &Client, body: Value) -> Result<u8> {
    /// Longest line of progress.
    const LINE: usize = 1 << 20;
    let mut answer = client
        .send(Method::POST, "/v1/images", Some(&body), "application/x-ndjson")
        .await?;
    let bar = if output::terminal() && !cli.json {
        indicatif::ProgressBar::new(0)
    } else {
        indicatif::ProgressBar::hidden()
    };
    bar.set_style(indicatif::ProgressStyle::with_template(
        "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}",
    )?);
    let mut rest = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let told: Value = serde_json::from_slice(&line)?;
            if let Some(problem) = told.get("problem") {
                return Err(Failure(Box::new(serde_json::from_value::<Problem>(problem.clone())?)).into());
            }
            if let Some(image) = told.get("image") {
                bar.finish_and_clear();
                return say(
                    cli,
                    image,
                    format!(
                        "image {} is here, {}",
                        image["name"].as_str().unwrap_or("?"),
                        image["digest"].as_str().unwrap_or("?")
                    ),
                );
            }
            bar.set_length(told["total"].as_u64().unwrap_or(0));
            bar.set_position(told["done"].as_u64().unwrap_or(0));
        }
        if rest.len() > LINE {
            break;
        }
    }
    Err(fail(
        "BB0503",
        "the daemon went away while the image was added",
        "busbar image ls",
    ))
}

pub async fn token(cli: &Cli, client: &Client, what: &Token) -> Result<u8> {
    match what {
        Token::Make { name, role } => {
            let role = match role {
                RoleName::Reader => "reader",
                RoleName::Operator => "operator",
                RoleName::Admin => "admin",
            };
            let answer = client
                .call(Method::POST, "/v1/tokens", Some(json!({"name": name, "role": role})))
                .await?;
            output::note("shown this once:");
            say(cli, &answer, answer["secret"].as_str().unwrap_or_default())
        }
        Token::Ls => {
            let answer = client.get("/v1/tokens").await?;
            let mut table = Table::new(&["NAME", "ROLE", "MADE"]);
            for token in answer.as_array().into_iter().flatten() {
                let text = |key: &str| token[key].as_str().unwrap_or("—").to_owned();
                table.row(vec![text("name"), text("role"), text("created")]);
            }
            say(cli, &answer, table)
        }
        Token::Revoke { name } => {
            let answer = client.call(Method::DELETE, &format!("/v1/tokens/{name}"), None).await?;
            say(cli, &answer, format!("token {name} is revoked"))
        }
        Token::ShowContext { link: true } => {
            let link = client.link()?;
            say(cli, &json!({ "link": link }), link)
        }
        Token::ShowContext { link: false } => {
            let path = Context::path();
            let url = Context::load(&path)?.map(|c| c.url);
            let answer = json!({"file": path, "url": url});
            say(
                cli,
                &answer,
                format!("{}\n{}", path.display(), url.as_deref().unwrap_or("no such file")),
            )
        }
    }
}

pub async fn dump(cli: &Cli, client: &Client, file: &Path) -> Result<u8> {
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(|e| {
            fail(
                "BB0502",
                format!("{} can't be made: {e}", file.display()),
                "busbar dump NEW-FILE",
            )
        })?;
    let written = async {
        let mut answer = client
            .send(Method::POST, "/v1/dump", None, "application/octet-stream")
            .await?;
        while let Some(chunk) = answer.chunk().await? {
            out.write_all(&chunk)?;
        }
        anyhow::Ok(out.sync_all()?)
    };
    if let Err(e) = written.await {
        let _ = std::fs::remove_file(file);
        return Err(e);
    }
    let line = format!(
        "everything is in {}; busbar restore {0} makes a state folder of it",
        file.display()
    );
    say(cli, &json!({ "file": file }), line)
}
