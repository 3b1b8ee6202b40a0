//! A gateway and workers as processes, with a real `nats-server` between them and a stand-in Telegram.

use super::nats::NatsServer;
use super::program::Program;
use super::telegram::Telegram;

/// Gateway, workers and stand-in Telegram.
pub struct Cluster {
    pub nats: NatsServer,
    pub telegram: Telegram,
    pub gateway: Program,
    pub workers: Vec<Program>,
}

impl Cluster {
    pub async fn start(workers: usize, variables: &[(&str, &str)]) -> Self {
        let nats = NatsServer::start().await;
        let mut telegram = Telegram::start().await;
        let gateway = telegram.process("gateway", &nats.url(), variables);
        telegram.inbox.next("setmycommands").await;
        let workers: Vec<_> = (0..workers).map(|_| telegram.process("worker", &nats.url(), &[])).collect();
        for worker in &workers {
            worker.logged("waiting for jobs").await;
        }
        Self { nats, telegram, gateway, workers }
    }

    pub fn restart_worker(&mut self, index: usize) {
        self.workers[index].kill();
        self.workers[index] = self.telegram.process("worker", &self.nats.url(), &[]);
    }

    pub fn restart_gateway(&mut self) {
        self.gateway.kill();
        self.gateway = self.telegram.process("gateway", &self.nats.url(), &[]);
    }
}
