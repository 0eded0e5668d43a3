//! Several Memcached servers under load (C61): one of them fails, and the list of servers changes in a rolling
//! deployment.
//!
//! Come here for a fault of one of several servers. The same without load is in `tests/cache`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, versioned_name};
use crate::drill::Drill;
use crate::figures::soaking;
use crate::history::Reader;
use crate::load::Load;
use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};
use crate::support::server::{Kind, Server};
use crate::support::service::Service;

/// A fault of one of three servers.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The process is killed, and started again empty.
    Killed,
    /// The process is stopped, then executes the commands that arrived meanwhile. It still has its entries.
    Stopped,
    /// It is stopped for less time than others need to notice.
    StoppedShortly,
    /// Connections are closed as soon as they are open. It still has its entries.
    Refused,
}

/// The list of these ports.
fn list(ports: &[u16]) -> String {
    let names = ports.iter().map(|port| format!("127.0.0.1:{port}"));
    names.collect::<Vec<_>>().join(",")
}

/// The environment of instances with this list.
fn environment(list: &str) -> [(&str, &str); 4] {
    [
        ("CACHE_BACKEND", "memcached"),
        ("CACHE_MEMCACHED_PORT", ""),
        ("CACHE_MEMCACHED_SERVERS", list),
        ("LOG_LEVEL", "error,backend::startup=info"),
    ]
}

fn start_servers() -> [Server; 3] {
    [(); 3].map(|()| Server::start(Kind::Memcached))
}

async fn drill(fault: Fault) {
    let mut servers = start_servers();
    let proxy = Proxy::start(servers[1].port).await;
    let failing = match fault {
        Fault::Refused => proxy.port,
        _ => servers[1].port,
    };
    let list = list(&[servers[0].port, failing, servers[2].port]);
    let drill = Drill::prepare(&environment(&list)).await;
    let tasks = drill.start_load().await;
    drill.begin_outage();
    let duration = Duration::from_millis(if soaking() { 5000 } else { 1200 });
    match fault {
        Fault::Killed => {
            servers[1].kill();
            drill.write_once(duration).await;
            servers[1].restart();
        }
        Fault::Stopped => {
            servers[1].signal("STOP");
            drill.write_once(duration).await;
            servers[1].signal("CONT");
        }
        Fault::StoppedShortly => {
            let repeated = async {
                for pause in [260, 300, 350, 400] {
                    servers[1].signal("STOP");
                    // The fault: a stop of about the deadline.
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    servers[1].signal("CONT");
                    // The time until the next fault.
                    tokio::time::sleep(Duration::from_millis(700)).await;
                }
            };
            tokio::join!(repeated, drill.write_once(2 * duration));
        }
        Fault::Refused => {
            proxy.set(Mode::Refuse);
            drill.write_once(duration).await;
            proxy.set(Mode::Pass);
        }
    }
    drill.end_outage();
    let name = format!("one of three Memcached servers {fault:?}");
    Arc::clone(&drill).finish(&name, tasks).await;
}

drills! {
    async fn c61_nothing_is_stale_when_one_of_three_servers_is_killed() = drill(Fault::Killed);
    async fn c61_nothing_is_stale_when_one_of_three_servers_is_stopped() = drill(Fault::Stopped);
    async fn c61_nothing_is_stale_when_one_of_three_servers_is_stopped_shortly() = drill(Fault::StoppedShortly);
    async fn c61_nothing_is_stale_when_one_of_three_servers_refuses_connections() = drill(Fault::Refused);
}

const WRITERS: usize = 4;
const READERS: usize = 8;
const WIDGETS: usize = 24;

/// Instances that come and go under load.
struct Deployment {
    cluster: Cluster,
    instances: Mutex<Vec<Arc<Service>>>,
    token: String,
    load: Load,
    hits: AtomicU64,
}

impl Deployment {
    /// Two instances with this list.
    async fn prepare(list: &str) -> Arc<Self> {
        let mut cluster = Cluster::start(2, &environment(list)).await;
        let token = cluster.first().new_user("ada").await;
        let load = Load::of(WIDGETS, cluster.first(), &token).await;
        let instances = std::mem::take(&mut cluster.instances);
        Arc::new(Self {
            cluster,
            instances: Mutex::new(instances.into_iter().map(Arc::new).collect()),
            token,
            load,
            hits: AtomicU64::new(0),
        })
    }

    fn any_instance(&self) -> Arc<Service> {
        let instances = self.instances.lock().unwrap();
        Arc::clone(&instances[rand::random_range(0..instances.len())])
    }

    /// Starts an instance with this list, then ends the oldest one as a deployment does.
    async fn replace_oldest(&self, list: &str) {
        let url = self.cluster.database.url();
        let mut own = environment(list).to_vec();
        own.push(("CACHE_NAMESPACE", &self.cluster.namespace));
        own.push(("SERVER_WORKERS", "2"));
        let started = Arc::new(Service::start(&url, &own).await);
        let oldest = {
            let mut instances = self.instances.lock().unwrap();
            instances.push(started);
            instances.remove(0)
        };
        // A load balancer sends it no more requests.
        eventually("its last request is answered", async || {
            Arc::strong_count(&oldest) == 1
        })
        .await;
        let mut service = Arc::into_inner(oldest).expect("no other reference");
        service.signal("TERM");
        service.wait().await;
    }

    async fn roll_out(&self, list: &str) {
        for _ in 0..2 {
            self.replace_oldest(list).await;
        }
        self.hits_come().await;
    }

    /// Waits for as many hits as all instances together give in some seconds of load.
    async fn hits_come(&self) {
        let before = self.hits.load(Ordering::Relaxed);
        eventually("there are hits again", async || {
            self.hits.load(Ordering::Relaxed) >= before + 200
        })
        .await;
    }

    async fn write(self: Arc<Self>, writer: usize) {
        for number in (writer..WIDGETS).step_by(WRITERS).cycle() {
            if !self.load.goes_on() {
                return;
            }
            let (id, history) = &self.load.widgets[number];
            let name = versioned_name(number, history.version() + 1);
            let path = format!("/widgets/{id}");
            let instance = self.any_instance();
            let request = instance.api(Method::PATCH, &path, &self.token);
            match request.json(&json!({"name": name})).send().await {
                Ok(response) if response.status() == 200 => {}
                outcome => return self.load.is_wrong(format!("PATCH {path}: {outcome:?}")),
            }
            history.acknowledge(0);
            drop(instance);
            for _ in 0..2 {
                self.check(number).await;
            }
        }
    }

    async fn look(self: Arc<Self>) {
        while self.load.goes_on() {
            self.check(rand::random_range(0..WIDGETS)).await;
            // The pace of the load.
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Reads a widget through any instance: it must be no older than the last acknowledged write.
    async fn check(&self, number: usize) {
        let reader = Reader::of(0);
        let instance = self.any_instance();
        let is_hit = self.load.check(&instance, reader, number, Duration::ZERO);
        if is_hit.await {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c61_nothing_is_stale_while_a_rolling_deployment_adds_and_removes_a_server_in_a_storm() {
    let servers = start_servers();
    let ports = [0, 1, 2].map(|place| servers[place].port);
    let two = list(&ports[..2]);
    // In another order, which does not matter.
    let three = list(&[ports[2], ports[0], ports[1]]);
    let replaced = list(&ports[1..]);
    let deployment = Deployment::prepare(&two).await;
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        tasks.spawn(Arc::clone(&deployment).write(writer));
    }
    for _ in 0..READERS {
        tasks.spawn(Arc::clone(&deployment).look());
    }
    deployment.hits_come().await;
    deployment.roll_out(&three).await;
    deployment.roll_out(&two).await;
    if soaking() {
        for turn in 0..20 {
            deployment
                .roll_out([&three, &replaced, &two][turn % 3])
                .await;
            let frozen = &servers[rand::random_range(0..3)];
            frozen.signal("STOP");
            // The fault: shorter and longer than the deadlines.
            tokio::time::sleep(Duration::from_millis(rand::random_range(100..3000))).await;
            frozen.signal("CONT");
            deployment.hits_come().await;
        }
    }
    deployment.load.end(tasks).await;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (reads, hits) = (count(&deployment.load.reads), count(&deployment.hits));
    println!("rolling deployments: {reads} reads, {hits} hits");
    deployment.load.expect_right("rolling deployments");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c61_a_write_of_an_instance_of_another_list_that_was_frozen_is_seen_by_all() {
    let servers = start_servers();
    let ports = [0, 1, 2].map(|place| servers[place].port);
    let deployment = Deployment::prepare(&list(&ports[..2])).await;
    deployment.replace_oldest(&list(&ports)).await;
    let (of_two, of_three) = {
        let instances = deployment.instances.lock().unwrap();
        (Arc::clone(&instances[0]), Arc::clone(&instances[1]))
    };
    of_three.signal("STOP");
    eventually("the other instance trusts its entries again", async || {
        let mut hits = 0;
        for (id, _) in &deployment.load.widgets {
            hits += usize::from(of_two.get(&format!("/widgets/{id}")).await.is_hit());
        }
        hits == WIDGETS
    })
    .await;
    let writes = deployment.load.widgets.iter().map(async |(id, _)| {
        let path = format!("/widgets/{id}");
        let request = of_three.api(Method::PATCH, &path, &deployment.token);
        let answer = request.json(&json!({"name": "new"})).send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
        let seen = of_two.get(&path).await.expect(200).json();
        assert_eq!(seen["name"], "new", "{path}");
    });
    let resume = async {
        of_three.until_requests_wait(WIDGETS).await;
        of_three.signal("CONT");
    };
    tokio::join!(futures_util::future::join_all(writes), resume);
}
