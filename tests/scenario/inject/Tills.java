// SPDX-License-Identifier: BSD-2-Clause
/* Tills monitor|lock: tellers who all write into one book, each for 2 ms. */
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

	public static void main(String[] args) {
		boolean monitor = args[0].equals("monitor");

		for (int i = 0; i < 5; i++)
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
