//! A flag for every key of the configuration.

use clap::{Arg, ArgAction, ArgMatches, Command};
use oasis_node_service::config::{Config, ConfigError, KEYS, Key, Kind};

/// The flag that names the configuration file.
const CONFIG: &str = "config";

/// Words that mean nothing.
const WORDS: &str = "words";

/// Adds the flags of a node.
pub fn add(command: Command) -> Command {
    // The original's node takes the flags of its clients too; before a command they are the command's.
    let address = Arg::new("node.address").long("address").short('a').hide(true);
    let wait = Arg::new("wait").long("wait").action(ArgAction::SetTrue).hide(true);
    let command = command
        .mut_subcommands(words)
        .mut_subcommand("debug", |debug| debug.mut_subcommand("byzantine", |byzantine| byzantine.mut_subcommand("beacon", node)));
    // Source: cobra's `command.go`, `InitDefaultVersionFlag`.
    let version = Arg::new("version").long("version").short('v').short_alias('V').action(ArgAction::Version).help("Print version");
    switches(node(command).disable_version_flag(true).args([address, wait, version]))
}

/// Adds the configuration file's flag, and one for every key.
pub fn node(command: Command) -> Command {
    let file = Arg::new(CONFIG).long(CONFIG).value_name("FILE").help("configuration file, in YAML").help_heading("Node");
    KEYS.iter().fold(command.arg(file), |command, key| command.arg(flag(key)))
}

fn flag(key: &'static Key) -> Arg {
    let arg = Arg::new(key.name).long(key.name).action(ArgAction::Append).help_heading("Node").hide(key.help.is_empty());
    let arg = match key.default {
        "" => arg.help(key.help),
        default => arg.help(format!("{} [default: {default}]", key.help)),
    };
    let arg = match key.name {
        "genesis.file" => arg.short('g'),
        "signer.backend" => arg.short('s'),
        _ => arg,
    };
    match key.kind {
        // As in the original, a value for a switch needs `=`.
        Kind::Bool => arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("true|false"),
        Kind::Port => arg.value_name("PORT"),
        Kind::Uint | Kind::Int | Kind::Float => arg.value_name("NUMBER").allow_negative_numbers(true),
        Kind::Duration => arg.value_name("DURATION"),
        Kind::List => arg.value_name("LIST"),
        Kind::Text | Kind::Map | Kind::Levels => arg.value_name("VALUE"),
    }
}

/// Lets every switch take a value after `=`, as in the original: `--verbose`, `--verbose=false`.
///
/// Source: pflag's `BoolVarP`.
pub fn switches(command: Command) -> Command {
    let switch = |arg: Arg| match arg.get_action() {
        ArgAction::SetTrue => {
            let arg = if arg.get_default_values().is_empty() { arg.default_value("false") } else { arg };
            arg.action(ArgAction::Set).num_args(0..=1).require_equals(true).default_missing_value("true").value_parser(parse_bool)
        }
        _ => arg,
    };
    command.mut_args(switch).mut_subcommands(switches)
}

/// Lets commands that take no words take any, as in the original, which ignores them.
///
/// Source: cobra's `legacyArgs`.
fn words(command: Command) -> Command {
    let takes_words = command.get_positionals().next().is_some();
    let has_commands = command.get_subcommands().next().is_some();
    if has_commands {
        command.mut_subcommands(words)
    } else if takes_words {
        command
    } else {
        command.arg(Arg::new(WORDS).num_args(0..).hide(true))
    }
}

/// The words that a command ignores.
pub fn ignored(matches: &ArgMatches) -> Vec<&String> {
    match matches.subcommand() {
        Some((_, matches)) => ignored(matches),
        None => matches.try_get_many(WORDS).ok().flatten().into_iter().flatten().collect(),
    }
}

/// Source: Go's `strconv`, `ParseBool`.
fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

/// Reads the configuration file and puts the flags over it.
pub fn read(matches: &ArgMatches) -> Result<Config, ConfigError> {
    let mut config = match matches.get_one::<String>(CONFIG) {
        Some(file) => Config::from_file(file.as_ref())?,
        None => Config::default(),
    };
    for key in KEYS {
        for value in matches.get_many::<String>(key.name).into_iter().flatten() {
            config.set_flag(key.name, value)?;
        }
    }
    Ok(config)
}
