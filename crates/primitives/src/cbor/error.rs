//! Why bytes do not decode.

/// Why bytes do not decode into the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There are no bytes at all.
    #[error("empty input")]
    Empty,
    /// The input ends inside an item.
    #[error("unexpected end of input at byte {0}")]
    UnexpectedEnd(usize),
    /// A head byte that CBOR does not define.
    #[error("invalid head at byte {0}")]
    InvalidHead(usize),
    /// More than 32 levels of arrays, maps and tags.
    #[error("nested deeper than 32 levels")]
    TooDeep,
    /// An array or map with more elements than the mode allows.
    #[error("{0} elements are more than allowed")]
    TooManyElements(u64),
    /// An indefinite length in untrusted input.
    #[error("indefinite length at byte {0}")]
    IndefiniteLength(usize),
    /// A tag in untrusted input.
    #[error("tag at byte {0}")]
    Tag(usize),
    /// A text string that is not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// An item of another kind than the target takes.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What the target takes.
        expected: &'static str,
        /// What stands in the input.
        found: &'static str,
    },
    /// A number that does not fit the target.
    #[error("number does not fit {0}")]
    Overflow(&'static str),
    /// A map key that stands twice.
    #[error("duplicate map key")]
    DuplicateKey,
    /// A map key that names no field.
    #[error("unknown field {0:?}")]
    UnknownField(String),
    /// An array-encoded structure with another number of elements.
    #[error("expected an array of {expected} elements, found {found}")]
    WrongArrayLength {
        /// The number of fields.
        expected: u64,
        /// The number of elements.
        found: u64,
    },
    /// Bytes that are well-formed CBOR and not a valid value of the target.
    #[error("{0}")]
    Invalid(String),
    /// An error inside a named field.
    #[error("{field}: {source}")]
    Field {
        /// The field's key.
        field: &'static str,
        /// What went wrong in it.
        source: Box<Error>,
    },
}

impl Error {
    /// An error of a type's own rules.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }

    /// The same error, said to be inside `field`.
    #[must_use]
    pub fn in_field(self, field: &'static str) -> Self {
        Self::Field { field, source: Box::new(self) }
    }
}
