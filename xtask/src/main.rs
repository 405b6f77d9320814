//! Repository chores, run as `./x COMMAND`.

mod checks;
mod fuzz;
mod vectors;

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

const HELP: &str = "\
usage: ./x COMMAND [ARGUMENTS]

  localnet [OPTION…]
                  a whole network on this machine: --validators N, --for SECONDS, --transfers-per-second N, --help for more
  replay [FILE]   replay and verify a recorded network (by default one that the repository carries)
  test            every test, and whether every vector file was opened
  ci              what CI runs: format, lints, docs, tests, the repository's own checks
  bench [NAME]    benchmarks
  bench net [NAME…] [--go PATH] [--json]
                  networks of processes, beside those of the original's program where its path is given; --help for more
  fuzz [SECONDS [TARGET…]]
                  each fuzz target, or those named, for some seconds; installs the nightly toolchain and cargo-fuzz
  sim [OPTION…]   whole networks on virtual time under faults, by seed: --seeds N, --first-seed S, --help for more
  fmt             format the code
";

/// The recorded network that `./x replay` takes.
const DEFAULT_CHAIN: &str = "tests/vectors/chains/gas-fees-runtimes.cbor.gz";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = run(&args) {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

fn run(args: &[String]) -> Result<()> {
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("localnet") => localnet(rest),
        Some("replay") => replay(rest),
        Some("test") => vectors::test_all(rest),
        Some("ci") => ci(),
        Some("bench") if rest.first().is_some_and(|name| name == "net") => bench_net(rest.get(1..).unwrap_or_default()),
        Some("bench") if matches!(rest.first().map(String::as_str), Some("--help" | "-h")) => help(),
        Some("bench") => cargo(
            ["bench", "--workspace", "--bench", "*"]
                .into_iter()
                .map(str::to_owned)
                .chain((!rest.is_empty()).then(|| "--".to_owned()).into_iter().chain(rest.iter().cloned())),
        ),
        Some("fuzz") => fuzz::fuzz(rest),
        Some("sim") => sim(rest),
        Some("fmt") => cargo(["fmt", "--all"]),
        Some("help" | "--help" | "-h") | None => help(),
        Some(other) => bail!("unknown command {other:?}\n\n{HELP}"),
    }
}

fn help() -> Result<()> {
    print!("{HELP}");
    Ok(())
}

/// The program takes this one's place, so that it is the one that hears Ctrl-C and signals.
fn localnet(args: &[String]) -> Result<()> {
    cargo(["build", "--release", "-p", "oasis-node"].map(str::to_owned))?;
    let program = target().join("release/oasis-node");
    let mut command = Command::new(&program);
    command.arg("localnet").args(args);
    if !args.iter().any(|arg| arg == "--dir" || arg.starts_with("--dir=")) {
        command.arg("--dir").arg(target().join("localnet"));
    }
    Err(command.exec()).with_context(|| program.display().to_string())
}

fn replay(args: &[String]) -> Result<()> {
    let mut command = vec!["run", "--quiet", "--release", "-p", "oasis-node", "--", "debug", "replay"];
    let named = args.iter().any(|a| a == "--chain");
    match args.first() {
        Some(first) if !named && !first.starts_with("--") => command.push("--chain"),
        _ if !named => command.extend(["--chain", DEFAULT_CHAIN]),
        _ => {}
    }
    cargo(command.into_iter().map(str::to_owned).chain(args.iter().cloned()))
}

/// Networks of processes: of the program as it is released.
fn bench_net(args: &[String]) -> Result<()> {
    cargo(["build", "--release", "-p", "oasis-node"])?;
    let ours = target().join("release/oasis-node").display().to_string();
    let command = ["run", "--quiet", "--release", "-p", "oasis-node", "--example", "bench-net", "--", "--ours", &ours];
    cargo(command.into_iter().map(str::to_owned).chain(args.iter().cloned()))
}

/// Builds with planted bugs have a place of their own, so that no other build gets them.
fn sim(args: &[String]) -> Result<()> {
    let mut command = vec!["run", "--quiet", "--release", "-p", "oasis-sim"];
    if args.iter().any(|a| a == "--planted") {
        command.extend(["--features", "planted-bugs", "--target-dir", "target/planted"]);
    }
    command.push("--");
    cargo(command.into_iter().map(str::to_owned).chain(args.iter().cloned()))
}

/// A step of CI and its name.
type Step = (&'static str, fn() -> Result<()>);

fn ci() -> Result<()> {
    let steps: [Step; 7] = [
        ("format", || cargo(["fmt", "--all", "--check"])),
        ("lints", || cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])),
        ("docs", docs),
        ("pure crates", checks::pure_crates),
        ("licences", checks::licences),
        ("advisories", checks::advisories),
        ("tests", || script(&["test"])),
    ];
    for (name, step) in steps {
        println!("== {name}");
        step().with_context(|| format!("step {name}"))?;
    }
    println!("== all steps passed");
    Ok(())
}

fn docs() -> Result<()> {
    let status = cargo_command()
        .args(["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .status()?;
    if !status.success() {
        bail!("cargo doc failed");
    }
    Ok(())
}

/// The README's own command, so that CI runs what people run.
fn script(args: &[&str]) -> Result<()> {
    let status = Command::new(root().join("x")).args(args).current_dir(root()).status()?;
    if !status.success() {
        bail!("./x {} failed", args.join(" "));
    }
    Ok(())
}

/// Runs cargo in the root of the checkout.
fn cargo<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Result<()> {
    let mut command = cargo_command();
    command.args(args);
    let status = command.status().context("cargo is not there: install it with rustup")?;
    if !status.success() {
        bail!("cargo {:?} failed", command.get_args().collect::<Vec<_>>());
    }
    Ok(())
}

/// Cargo in the root of the checkout, as somebody would call it: what it told this program about itself would have some packages built
/// anew.
fn cargo_command() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The root of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
