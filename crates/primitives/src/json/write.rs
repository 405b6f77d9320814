//! Text as Go's encoder writes it.

use super::Value;

/// The compact text.
///
/// Source: Go's `encoding/json`, `Marshal`.
pub fn to_text(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, None);
    out
}

/// The text with each item on a line, indented by two spaces a level.
///
/// Source: Go's `encoding/json`, `MarshalIndent` with two spaces.
pub fn to_text_pretty(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, Some(0));
    out
}

fn line(out: &mut String, level: Option<usize>) {
    if let Some(level) = level {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    }
}

fn write(out: &mut String, value: &Value, level: Option<usize>) {
    let inner = level.map(|level| level.saturating_add(1));
    match value {
        Value::String(text) => write_text(out, text),
        Value::Array(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                out.push(if i == 0 { '[' } else { ',' });
                line(out, inner);
                write(out, item, inner);
            }
            line(out, level);
            out.push(']');
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (i, (key, item)) in fields.iter().enumerate() {
                out.push(if i == 0 { '{' } else { ',' });
                line(out, inner);
                write_text(out, key);
                out.push_str(if level.is_some() { ": " } else { ":" });
                write(out, item, inner);
            }
            line(out, level);
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Characters that mean something in HTML or end lines in JavaScript are escaped too.
///
/// Source: Go's `encoding/json`, `encodeState.string`.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_go_does() {
        let value = Value::String("a<b>&\u{2028}\u{8}\n\u{7f}é\"".into());
        assert_eq!(to_text(&value), r#""a\u003cb\u003e\u0026\u2028\u0008\n"#.to_owned() + "\u{7f}é\\\"\"");
    }

    #[test]
    fn empty_containers_stay_on_one_line() {
        let value = serde_json::json!({"a": [], "b": {}, "c": [1, {"d": null}]});
        assert_eq!(to_text(&value), r#"{"a":[],"b":{},"c":[1,{"d":null}]}"#);
        assert_eq!(to_text_pretty(&value), "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": null\n    }\n  ]\n}");
    }
}
