//! Calls of the API: frames on the socket, and every query of blocks and states with any request.
#![no_main]

use std::{
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

use libfuzzer_sys::fuzz_target;
use oasis_node_service::{
    api::{SERVICE_PREFIX, query, source::DiskSource},
    grpc::{Reply, Service, UnixServer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    runtime::{Builder, Runtime},
    sync::watch,
    time::timeout,
};

#[path = "../../crates/node/tests/common/archive.rs"]
mod archive;

static SOURCE: LazyLock<DiskSource> = LazyLock::new(|| {
    let chain = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/chains/debond.cbor.gz");
    std::thread::Builder::new().stack_size(64 << 20).spawn(move || archive::archive(&chain, |_, _| Ok(())).unwrap()).unwrap().join().unwrap()
});

struct Queries;

impl Service for Queries {
    fn call(&self, service: &str, method: &str, request: Vec<u8>) -> Option<Reply> {
        let answer = query::answer(&*SOURCE, service.strip_prefix(SERVICE_PREFIX)?, method, &request)?;
        Some(Reply::Unary(Box::pin(async move { answer })))
    }

    fn is_stream(&self, service: &str, method: &str) -> Option<bool> {
        let service = service.strip_prefix(SERVICE_PREFIX)?;
        let (_, methods) = query::METHODS.iter().find(|(name, _)| *name == service)?;
        methods.contains(&method).then_some(false)
    }
}

static SERVER: LazyLock<(Runtime, PathBuf)> = LazyLock::new(|| {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let path = std::env::temp_dir().join(format!("oasis-fuzz-{}.sock", std::process::id()));
    let (stop, stopped) = watch::channel(false);
    // It serves until the process ends.
    std::mem::forget(stop);
    let server = runtime.block_on(UnixServer::bind(&path)).unwrap();
    runtime.spawn(async move { server.serve(Arc::new(Queries), stopped).await.unwrap() });
    (runtime, path)
});

fn frame(kind: u8, flags: u8, stream: u8, body: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags, 0, 0, 0, stream]);
    out.extend_from_slice(body);
}

/// A call by HTTP/2, its body being any bytes.
fn call(body: &[u8]) -> Vec<u8> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(4, 0, 0, &[], &mut out);
    // POST, http, then path, content type and transfer encoding as literals.
    let mut headers = vec![0x83, 0x86];
    let mut literal = |name: &[u8], value: &str| {
        headers.extend_from_slice(name);
        headers.push(u8::try_from(value.len()).unwrap());
        headers.extend_from_slice(value.as_bytes());
    };
    literal(&[0x04], "/oasis-core.ConsensusLight/GetLightBlock");
    literal(&[0x01], "localhost");
    literal(&[0x0f, 0x10], "application/grpc");
    literal(&[0x00, 2, b't', b'e'], "trailers");
    frame(1, 4, 1, &headers, &mut out);
    for piece in body.chunks(16_000) {
        frame(0, 0, 1, piece, &mut out);
    }
    frame(0, 1, 1, &[], &mut out);
    out
}

/// The server answers or ends the connection, whatever comes.
fn exchange(bytes: &[u8]) {
    let (runtime, path) = &*SERVER;
    let talking = async {
        let mut stream = UnixStream::connect(path).await.unwrap();
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    };
    runtime.block_on(async { timeout(Duration::from_secs(20), talking).await.expect("the server neither answers nor hangs up") });
}

// A method and a request, apart by a line's end; or frames.
fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((0, body)) => return exchange(&call(body)),
        Some((1, raw)) => return exchange(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", raw].concat()),
        _ => {}
    }
    let Some(end) = bytes.iter().position(|b| *b == b'\n') else { return };
    let Ok(name) = std::str::from_utf8(&bytes[..end]) else { return };
    let Some((service, method)) = name.split_once('/') else { return };
    let answer = query::answer(&*SOURCE, service, method, &bytes[end + 1..]);
    if let Some(Err(error)) = answer {
        let _ = error.status_bytes();
    }
});
