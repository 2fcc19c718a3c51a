// SPDX-License-Identifier: BSD-2-Clause
/* Tills monitor|lock|crossed|ring|ordered|workers: tellers who all write into one book, each for 2 ms; two who want each other's
 * monitors; three who want each other's locks, or who take them in the same order; or eight who serve thirteen customers each 20 ms, which fills near one CPU. */
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.ReentrantLock;

public class Tills {
	static final ReentrantLock lock = new ReentrantLock();
	static long sum;

	static void count(long us) {
		long until = System.nanoTime() + us * 1000;

		while (System.nanoTime() < until)
			sum += until % 7;
	}

	static synchronized void book() {
		count(2000);
	}

	static void bookLocked() {
		lock.lock();
		try {
			count(2000);
		} finally {
			lock.unlock();
		}
	}

	static void transfer(Object from, Object to) {
		synchronized (from) {
			try {
				Thread.sleep(200);
			} catch (InterruptedException e) {
				return;
			}
			synchronized (to) {
				sum++;
			}
		}
	}

	static void crossed() {
		Object a = new Object(), b = new Object();

		new Thread(() -> transfer(a, b), "teller").start();
		new Thread(() -> transfer(b, a), "teller").start();
	}

	static void transferLocked(ReentrantLock from, ReentrantLock to) {
		from.lock();
		try {
			Thread.sleep(200);
			to.lock();
			sum++;
			to.unlock();
		} catch (InterruptedException e) {
			return;
		} finally {
			from.unlock();
		}
	}

	/* Once each in a ring; for ever in order. */
	static void three(boolean ring) {
		ReentrantLock[] locks = {new ReentrantLock(), new ReentrantLock(true), new ReentrantLock()};

		for (int i = 0; i < 3; i++) {
			ReentrantLock own = locks[i], next = locks[(i + 1) % 3], first = i < 2 ? own : next, second = i < 2 ? next : own;

			new Thread(() -> {
				do
					transferLocked(ring ? own : first, ring ? next : second);
				while (!ring);
			}, "teller").start();
		}
	}

	static void serve() throws InterruptedException {
		ExecutorService tellers = Executors.newFixedThreadPool(8);

		while (true) {
			for (int i = 0; i < 13; i++)
				tellers.submit(() -> count(1400));
			Thread.sleep(20);
		}
	}

	public static void main(String[] args) throws InterruptedException {
		boolean monitor = args[0].equals("monitor");

		if (args[0].equals("workers"))
			serve();
		if (args[0].equals("crossed"))
			crossed();
		if (args[0].equals("ring") || args[0].equals("ordered"))
			three(args[0].equals("ring"));
		for (int i = 0; i < 5 && (monitor || args[0].equals("lock")); i++)
			new Thread(() -> {
				while (true) {
					if (monitor)
						book();
					else
						bookLocked();
					count(100);
				}
			}, "teller").start();
	}
}
