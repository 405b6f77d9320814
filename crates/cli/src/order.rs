//! The order of a command line: flags may stand before the command that they belong to.

use std::ffi::OsString;

use clap::{
    Arg, ArgAction, Command, Error,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

/// The command that tells of commands.
const HELP: &str = "help";

/// The flags that a command knows, those of the commands above it among them.
struct Known<'a>(Vec<&'a Arg>);

impl<'a> Known<'a> {
    fn of(command: &'a Command) -> Self {
        Self(command.get_arguments().collect())
    }

    fn and(&mut self, command: &'a Command) {
        self.0.extend(command.get_arguments());
    }

    /// The flag of a word such as `--name` or `-n`.
    fn find(&self, word: &str) -> Option<&'a Arg> {
        let named = |arg: &&&Arg| match word.strip_prefix("--") {
            Some(long) => arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|all| all.contains(&long)),
            None => word.strip_prefix('-').is_some_and(|short| arg.get_short().is_some_and(|c| short.chars().eq([c]))),
        };
        self.0.iter().find(named).copied()
    }

    /// Whether the next word is the value of this one, as it is of a flag that is not known.
    ///
    /// Source: cobra's `command.go`, `stripFlags`.
    fn takes_next(&self, word: &str) -> bool {
        if word.contains('=') || !(word.starts_with("--") || word.chars().count() == 2) {
            return false;
        }
        self.find(word).is_none_or(|arg| {
            let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
            takes && arg.get_num_args().is_none_or(|count| count.min_values() > 0)
        })
    }
}

fn is_flag(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// Puts the flags that stand before a command behind it, where they are read: it knows them, or they are refused.
///
/// Source: cobra's `command.go`, `Find`. Unlike there, a switch of the program itself is a switch before every command.
pub fn arrange(root: &Command, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter();
    let mut commands: Vec<OsString> = words.next().into_iter().collect();
    let mut rest = Vec::new();
    let (mut at, mut known) = (root, Known::of(root));
    while at.has_subcommands() {
        let Some(word) = words.next() else { break };
        match word.to_str() {
            // The version is told whatever follows.
            Some(text) if known.find(text).is_some_and(|arg| matches!(arg.get_action(), ArgAction::Version)) => {
                rest.push(word);
                break;
            }
            Some(text) if text != "--" && is_flag(text) => {
                let value = if known.takes_next(text) { words.next() } else { None };
                rest.push(word);
                rest.extend(value);
            }
            text => match text.and_then(|text| at.find_subcommand(text)) {
                Some(next) => {
                    commands.push(word);
                    known.and(next);
                    at = next;
                }
                None => {
                    if text == Some(HELP) {
                        // It is the same whatever the flags.
                        rest.clear();
                    }
                    rest.push(word);
                    break;
                }
            },
        }
    }
    commands.extend(rest);
    commands.extend(words);
    commands
}

/// Says of a flag that was refused where it goes, if there is such a place.
pub fn explain(root: &Command, words: &[OsString], error: &mut Error) {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if error.kind() == ErrorKind::UnknownArgument => flag.clone(),
        _ => return,
    };
    let mut path = vec![root.get_name()];
    let (mut at, mut known) = (root, Known(Vec::new()));
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(next) = at.find_subcommand(word) {
            path.push(next.get_name());
            known.and(next);
            at = next;
        }
    }
    let path = path.join(" ");
    let tip = if known.find(&flag).is_some() {
        format!("it goes behind the command: '{path} {flag}'")
    } else if path != root.get_name() && Known::of(root).find(&flag).is_some() {
        format!("'{flag}' is a flag of the node itself, which runs where no command is given; '{path}' does not take it")
    } else {
        return;
    };
    // What was typed is like no other flag, and not the usage of one.
    error.remove(ContextKind::SuggestedArg);
    error.remove(ContextKind::Usage);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(line: &str) -> String {
        let root = Command::new("node")
            .args([Arg::new("file").long("file").short('f'), Arg::new("wait").long("wait").action(ArgAction::SetTrue)])
            .subcommand(
                Command::new("stake")
                    .arg(Arg::new("address").long("address").short('a').global(true))
                    .subcommand(Command::new("list").arg(Arg::new("verbose").long("verbose").action(ArgAction::SetTrue)))
                    .subcommand(Command::new("info").arg(Arg::new("height").long("height")).arg(Arg::new("word"))),
            );
        let words = line.split(' ').map(OsString::from);
        arrange(&root, words).join(std::ffi::OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn flags_go_behind_the_command() {
        assert_eq!(arranged("node --file x stake list"), "node stake list --file x");
        assert_eq!(arranged("node -f x stake -a y list --verbose"), "node stake list -f x -a y --verbose");
        assert_eq!(arranged("node -fx --file=x stake list"), "node stake list -fx --file=x");
        assert_eq!(arranged("node --wait stake list"), "node stake list --wait");
        assert_eq!(arranged("node -f stake stake list"), "node stake list -f stake");
    }

    #[test]
    fn a_flag_of_the_command_may_stand_first_where_its_value_is_clear() {
        assert_eq!(arranged("node --height 5 stake info"), "node stake info --height 5");
        assert_eq!(arranged("node --verbose=true stake list"), "node stake list --verbose=true");
        assert_eq!(arranged("node --verbose stake list"), "node --verbose stake list");
        assert_eq!(arranged("node stake --verbose list"), "node stake --verbose list");
    }

    #[test]
    fn words_behind_the_command_stay() {
        assert_eq!(arranged("node --file x stake info list --height 5"), "node stake info --file x list --height 5");
        assert_eq!(arranged("node --file x -- stake list"), "node --file x -- stake list");
        assert_eq!(arranged("node --file x steak list"), "node --file x steak list");
        assert_eq!(arranged("node --file"), "node --file");
        assert_eq!(arranged("node"), "node");
        assert_eq!(arranged("node --file x stake -a y help list"), "node stake help list");
    }
}
