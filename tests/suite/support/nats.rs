//! A real `nats-server` with JetStream, and a link to it that can be cut.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use faceguesser::cluster::{ClusterError, ClusterOptions, ClusterStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The server; dropping it kills the process.
pub struct NatsServer {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
    /// Further arguments.
    arguments: Vec<String>,
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl NatsServer {
    pub async fn start() -> Self {
        Self::start_with(Vec::new()).await
    }

    async fn start_with(arguments: Vec<String>) -> Self {
        let (address, folder) = (free_address(), tempfile::tempdir().unwrap());
        let process = spawn(address, &folder, &arguments);
        let server = Self { process, address, folder, arguments };
        server.ready().await;
        server
    }

    /// Three servers that store everything on each of them.
    pub async fn start_three() -> [Self; 3] {
        let routes = [(); 3].map(|()| format!("nats://{}", free_address()));
        let arguments = |index: usize| {
            let [name, all] = [format!("n{index}"), routes.join(",")];
            let pairs =
                ["--server_name", &name, "--cluster_name", "three", "--cluster", &routes[index], "--routes", &all];
            pairs.map(str::to_owned).to_vec()
        };
        let servers = [
            Self::start_with(arguments(0)).await,
            Self::start_with(arguments(1)).await,
            Self::start_with(arguments(2)).await,
        ];
        let elected = async {
            while servers[0].connect("election", 1, 3).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(super::inbox::PATIENCE, elected).await.expect("the servers choose a leader");
        servers
    }

    /// Kills the process and starts another one with the same files.
    pub async fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.address, &self.folder, &self.arguments);
        self.ready().await;
    }

    /// Kills the process and starts another one that knows nothing.
    pub async fn restart_without_files(&mut self) {
        self.kill();
        self.folder = tempfile::tempdir().unwrap();
        self.process = spawn(self.address, &self.folder, &self.arguments);
        self.ready().await;
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    async fn ready(&self) {
        let connect = async {
            while TcpStream::connect(self.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(super::inbox::PATIENCE, connect).await.expect("nats-server listens");
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// A connection to it.
    pub async fn store(&self) -> Arc<ClusterStore> {
        self.store_of("test", 10_000).await
    }

    /// A connection of the bot `name`, whose queue holds at most `queue` jobs.
    pub async fn store_of(&self, name: &str, queue: i64) -> Arc<ClusterStore> {
        self.connect(name, queue, 1).await.unwrap()
    }

    async fn connect(&self, name: &str, queue: i64, replicas: usize) -> Result<Arc<ClusterStore>, ClusterError> {
        let (servers, name) = (vec![self.url()], name.to_owned());
        ClusterStore::connect(ClusterOptions { servers, token: None, name, replicas, queue }).await
    }

    /// What is stored on disk.
    pub fn files(&self) -> Vec<Vec<u8>> {
        let files = walkdir::WalkDir::new(&self.folder).into_iter().map(Result::unwrap);
        files.filter(|file| file.file_type().is_file()).map(|file| std::fs::read(file.path()).unwrap()).collect()
    }

    /// Another address of it, over a link that can be cut.
    pub async fn link(&self) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, server) = (listener.local_addr().unwrap(), self.address);
        let state = watch::Sender::new(LinkState::Up);
        let watched = state.subscribe();
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let mut state = watched.clone();
                tokio::spawn(async move {
                    let _ = state.wait_for(|state| *state != LinkState::Silent).await;
                    if *state.borrow() == LinkState::Cut {
                        return;
                    }
                    let Ok(to) = TcpStream::connect(server).await else { return };
                    let ((from_reader, from_writer), (to_reader, to_writer)) = (from.into_split(), to.into_split());
                    tokio::select! {
                        _ = forward(from_reader, to_writer, state.clone()) => {}
                        _ = forward(to_reader, from_writer, state.clone()) => {}
                        _ = state.wait_for(|state| *state == LinkState::Cut) => {}
                    }
                });
            }
        });
        Link { address, state }
    }
}

/// Copies bytes until either end closes, but none while the link is silent.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<LinkState>) -> Option<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
        state.wait_for(|state| *state != LinkState::Silent).await.ok()?;
        to.write_all(&bytes[..read]).await.ok()?;
    }
}

fn spawn(address: SocketAddr, folder: &tempfile::TempDir, arguments: &[String]) -> Child {
    let mut command = Command::new("nats-server");
    command.args(arguments).args([
        "--jetstream",
        "--addr",
        "127.0.0.1",
        "--port",
        &address.port().to_string(),
        "--store_dir",
    ]);
    let log = std::fs::File::create(folder.path().join("nats.log")).unwrap();
    let spawned = command.arg(folder.path()).stdout(Stdio::null()).stderr(log).spawn();
    spawned.expect("this test needs nats-server on PATH")
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // It may have been killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LinkState {
    Up,
    Silent,
    Cut,
}

/// A link to a server. Dropping it cuts it for good.
pub struct Link {
    address: SocketAddr,
    state: watch::Sender<LinkState>,
}

impl Link {
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Breaks all connections and refuses new ones.
    pub fn cut(&self) {
        self.state.send_replace(LinkState::Cut);
    }

    /// Connections stay, new ones are accepted, and nothing passes: as if every packet were lost.
    pub fn silence(&self) {
        self.state.send_replace(LinkState::Silent);
    }

    pub fn mend(&self) {
        self.state.send_replace(LinkState::Up);
    }
}
