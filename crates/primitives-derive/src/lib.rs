//! Derives canonical CBOR and JSON for structures.
//!
//! Attributes, all in `#[cbor(…)]`. On a field: `rename = "key"`, `json = "key"` (where JSON names it otherwise), `omitempty`, `skip`.
//! On the structure: `transparent` (a newtype is what it holds), `as_array` (the fields in order, without keys).

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Fields, Index, LitStr, Member, Type, parse_macro_input};

struct Field {
    member: Member,
    name: String,
    json: String,
    ty: Type,
    omitempty: bool,
    skip: bool,
}

struct Structure {
    fields: Vec<Field>,
    transparent: bool,
    as_array: bool,
}

fn parse(input: &DeriveInput) -> syn::Result<Structure> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(&input.ident, "only structures have a derived encoding"));
    };
    let (mut transparent, mut as_array) = (false, false);
    for attr in input.attrs.iter().filter(|a| a.path().is_ident("cbor")) {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("transparent") {
                transparent = true;
            } else if meta.path.is_ident("as_array") {
                as_array = true;
            } else {
                return Err(meta.error("expected transparent or as_array"));
            }
            Ok(())
        })?;
    }
    let mut fields = Vec::new();
    for (i, field) in data.fields.iter().enumerate() {
        let (member, mut name) = match &field.ident {
            Some(ident) => (Member::Named(ident.clone()), ident.to_string().trim_start_matches("r#").to_owned()),
            None => (Member::Unnamed(Index::from(i)), i.to_string()),
        };
        let (mut json, mut omitempty, mut skip) = (None, false, false);
        for attr in field.attrs.iter().filter(|a| a.path().is_ident("cbor")) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    name = meta.value()?.parse::<LitStr>()?.value();
                } else if meta.path.is_ident("json") {
                    json = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("omitempty") {
                    omitempty = true;
                } else if meta.path.is_ident("skip") {
                    skip = true;
                } else {
                    return Err(meta.error("expected rename, json, omitempty or skip"));
                }
                Ok(())
            })?;
        }
        let json = json.unwrap_or_else(|| name.clone());
        fields.push(Field { member, name, json, ty: field.ty.clone(), omitempty, skip });
    }
    if transparent && fields.len() != 1 {
        return Err(syn::Error::new_spanned(&input.ident, "a transparent structure has one field"));
    }
    if fields.len() > 64 {
        return Err(syn::Error::new_spanned(&input.ident, "more than 64 fields"));
    }
    let named = matches!(data.fields, Fields::Named(_) | Fields::Unit);
    if !named && !transparent && !as_array {
        return Err(syn::Error::new_spanned(&input.ident, "a tuple structure is transparent or an array"));
    }
    Ok(Structure { fields, transparent, as_array })
}

/// Derives `cbor::Encode` and `cbor::Decode`.
#[proc_macro_derive(Cbor, attributes(cbor))]
pub fn derive_cbor(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let out = parse(&input).map(|s| {
        if s.transparent {
            transparent_cbor(&input, &s)
        } else if s.as_array {
            array_cbor(&input, &s)
        } else {
            map_cbor(&input, &s)
        }
    });
    out.unwrap_or_else(|e| e.to_compile_error()).into()
}

fn transparent_cbor(input: &DeriveInput, s: &Structure) -> Tokens {
    let name = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let inner = s.fields.iter().map(|f| (&f.member, &f.ty));
    let (member, ty): (Vec<_>, Vec<_>) = inner.unzip();
    quote! {
        impl #impl_generics ::oasis_primitives::cbor::Encode for #name #ty_generics #where_clause {
            fn encode(&self, e: &mut ::oasis_primitives::cbor::Encoder) {
                #(::oasis_primitives::cbor::Encode::encode(&self.#member, e);)*
            }
            fn is_empty(&self) -> bool {
                #(::oasis_primitives::cbor::Encode::is_empty(&self.#member))*
            }
        }
        impl #impl_generics ::oasis_primitives::cbor::Decode for #name #ty_generics #where_clause {
            const TAKES_NULL: bool = #(<#ty as ::oasis_primitives::cbor::Decode>::TAKES_NULL)*;
            const POINTER: bool = #(<#ty as ::oasis_primitives::cbor::Decode>::POINTER)*;
            const HAS_NIL: bool = #(<#ty as ::oasis_primitives::cbor::Decode>::HAS_NIL)*;
            const SCALAR: bool = #(<#ty as ::oasis_primitives::cbor::Decode>::SCALAR)*;
            fn decode(d: &mut ::oasis_primitives::cbor::Decoder<'_>) -> Result<Self, ::oasis_primitives::cbor::Error> {
                Ok(Self { #(#member: <#ty as ::oasis_primitives::cbor::Decode>::decode(d)?),* })
            }
        }
    }
}

fn array_cbor(input: &DeriveInput, s: &Structure) -> Tokens {
    let name = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let member: Vec<_> = s.fields.iter().map(|f| &f.member).collect();
    let key: Vec<_> = s.fields.iter().map(|f| &f.name).collect();
    let count = member.len();
    quote! {
        impl #impl_generics ::oasis_primitives::cbor::Encode for #name #ty_generics #where_clause {
            fn encode(&self, e: &mut ::oasis_primitives::cbor::Encoder) {
                e.array(#count);
                #(::oasis_primitives::cbor::Encode::encode(&self.#member, e);)*
            }
        }
        impl #impl_generics ::oasis_primitives::cbor::Decode for #name #ty_generics #where_clause {
            fn decode(d: &mut ::oasis_primitives::cbor::Decoder<'_>) -> Result<Self, ::oasis_primitives::cbor::Error> {
                let indefinite = d.array_structure(#count as u64)?;
                let out = Self { #(#member: d.field(#key)?),* };
                d.end_array_structure(indefinite);
                Ok(out)
            }
        }
    }
}

fn map_cbor(input: &DeriveInput, s: &Structure) -> Tokens {
    let name = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let fields: Vec<&Field> = s.fields.iter().filter(|f| !f.skip).collect();
    let mut sorted = fields.clone();
    // Canonical order: by length, then bytes; the length of a text key's head grows with the text.
    sorted.sort_by(|a, b| a.name.len().cmp(&b.name.len()).then_with(|| a.name.cmp(&b.name)));
    let fixed = fields.iter().filter(|f| !f.omitempty).count();
    let optional: Vec<_> = fields.iter().filter(|f| f.omitempty).map(|f| &f.member).collect();
    let writes = sorted.iter().map(|f| {
        let (member, key) = (&f.member, &f.name);
        let write = quote! {
            e.text(#key);
            ::oasis_primitives::cbor::Encode::encode(&self.#member, e);
        };
        if f.omitempty {
            quote! { if !::oasis_primitives::cbor::Encode::is_empty(&self.#member) { #write } }
        } else {
            write
        }
    });
    let names: Vec<_> = fields.iter().map(|f| &f.name).collect();
    let reads = fields.iter().enumerate().map(|(i, f)| {
        let (member, key) = (&f.member, &f.name);
        quote! { #i => out.#member = d.field(#key)?, }
    });
    let is_empty = if fixed > 0 || fields.is_empty() {
        let empty = fields.is_empty();
        quote! { #empty }
    } else {
        quote! { true #(&& ::oasis_primitives::cbor::Encode::is_empty(&self.#optional))* }
    };
    quote! {
        impl #impl_generics ::oasis_primitives::cbor::Encode for #name #ty_generics #where_clause {
            fn encode(&self, e: &mut ::oasis_primitives::cbor::Encoder) {
                let len: usize = [#fixed #(, usize::from(!::oasis_primitives::cbor::Encode::is_empty(&self.#optional)))*].iter().sum();
                e.map(len);
                #(#writes)*
            }
            fn is_empty(&self) -> bool {
                #is_empty
            }
        }
        impl #impl_generics ::oasis_primitives::cbor::Decode for #name #ty_generics #where_clause {
            fn decode(d: &mut ::oasis_primitives::cbor::Decoder<'_>) -> Result<Self, ::oasis_primitives::cbor::Error> {
                const NAMES: &[&str] = &[#(#names),*];
                #[allow(unused_mut)]
                let mut out = Self::default();
                let mut fields = d.structure()?;
                while let Some(index) = fields.next(d, NAMES)? {
                    match index {
                        #(#reads)*
                        _ => d.skip()?,
                    }
                }
                Ok(out)
            }
        }
    }
}

/// Derives `json::ToJson` and `json::FromJson`.
#[proc_macro_derive(Json, attributes(cbor))]
pub fn derive_json(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    parse(&input).map(|s| json(&input, &s)).unwrap_or_else(|e| e.to_compile_error()).into()
}

fn json(input: &DeriveInput, s: &Structure) -> Tokens {
    let name = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    if s.transparent {
        let member: Vec<_> = s.fields.iter().map(|f| &f.member).collect();
        return quote! {
            impl #impl_generics ::oasis_primitives::json::ToJson for #name #ty_generics #where_clause {
                fn to_json(&self) -> ::oasis_primitives::json::Value {
                    #(::oasis_primitives::json::ToJson::to_json(&self.#member))*
                }
                fn json_empty(&self) -> bool {
                    #(::oasis_primitives::json::ToJson::json_empty(&self.#member))*
                }
            }
            impl #impl_generics ::oasis_primitives::json::FromJson for #name #ty_generics #where_clause {
                fn from_json(value: &::oasis_primitives::json::Value) -> Result<Self, ::oasis_primitives::json::Error> {
                    Ok(Self { #(#member: ::oasis_primitives::json::read(value)?),* })
                }
            }
        };
    }
    let writes = s.fields.iter().filter(|f| !f.skip).map(|f| {
        let (member, key) = (&f.member, &f.json);
        let write = quote! { out.insert(#key.to_owned(), ::oasis_primitives::json::ToJson::to_json(&self.#member)); };
        if f.omitempty {
            quote! { if !::oasis_primitives::json::ToJson::json_empty(&self.#member) { #write } }
        } else {
            write
        }
    });
    let reads = s.fields.iter().filter(|f| !f.skip).map(|f| {
        let (member, key) = (&f.member, &f.json);
        quote! {
            if let Some(value) = ::oasis_primitives::json::read_field(object, #key)? {
                out.#member = value;
            }
        }
    });
    quote! {
        impl #impl_generics ::oasis_primitives::json::ToJson for #name #ty_generics #where_clause {
            fn to_json(&self) -> ::oasis_primitives::json::Value {
                #[allow(unused_mut)]
                let mut out = ::oasis_primitives::json::object();
                #(#writes)*
                ::oasis_primitives::json::Value::Object(out)
            }
        }
        impl #impl_generics ::oasis_primitives::json::FromJson for #name #ty_generics #where_clause {
            fn from_json(value: &::oasis_primitives::json::Value) -> Result<Self, ::oasis_primitives::json::Error> {
                let object = value.as_object().ok_or_else(|| ::oasis_primitives::json::Error::expected("an object", value))?;
                #[allow(unused_mut)]
                let mut out = Self::default();
                #(#reads)*
                let _ = object;
                Ok(out)
            }
        }
    }
}
