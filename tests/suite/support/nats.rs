//! A real `nats-server` with JetStream, and a link to it that can be cut.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use faceguesser::cluster::{ClusterOptions, ClusterStore};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The server; dropping it kills the process.
pub struct NatsServer {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl NatsServer {
    pub async fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let process = spawn(address, &folder);
        let server = Self { process, address, folder };
        server.ready().await;
        server
    }

    /// Kills the process and starts another one with the same files.
    pub async fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.address, &self.folder);
        self.ready().await;
    }

    /// Kills the process and starts another one that knows nothing.
    pub async fn restart_without_files(&mut self) {
        self.kill();
        self.folder = tempfile::tempdir().unwrap();
        self.process = spawn(self.address, &self.folder);
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

    /// A connection of the bot `name`, whose queue holds so many jobs.
    pub async fn store_of(&self, name: &str, queue: i64) -> Arc<ClusterStore> {
        let (servers, name) = (vec![self.url()], name.to_owned());
        ClusterStore::connect(ClusterOptions { servers, token: None, name, replicas: 1, queue }).await.unwrap()
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
        let up = watch::Sender::new(true);
        let state = up.subscribe();
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let mut state = state.clone();
                tokio::spawn(async move {
                    if !*state.borrow_and_update() {
                        return;
                    }
                    let Ok(mut to) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut from, &mut to) => {}
                        _ = state.wait_for(|up| !up) => {}
                    }
                });
            }
        });
        Link { address, up }
    }
}

fn spawn(address: SocketAddr, folder: &tempfile::TempDir) -> Child {
    let mut command = Command::new("nats-server");
    command.args(["--jetstream", "--addr", "127.0.0.1", "--port", &address.port().to_string(), "--store_dir"]);
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

/// A link to a server. Dropping it cuts it for good.
pub struct Link {
    address: SocketAddr,
    up: watch::Sender<bool>,
}

impl Link {
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Breaks all connections and refuses new ones.
    pub fn cut(&self) {
        self.up.send_replace(false);
    }

    pub fn mend(&self) {
        self.up.send_replace(true);
    }
}
