// SPDX-License-Identifier: BSD-2-Clause
/* Rota THREADS load|pause: threads that take turns at a shared number; who waits looks at it all the time. */
public class Rota {
	static volatile int turn;
	static volatile long sum;

	static void awaitTurn(int mine, boolean pause) {
		while (turn != mine)
			if (pause)
				Thread.onSpinWait();
	}

	static void keepBooks() {
		long s = sum;
		for (int i = 0; i < 3_000_000; i++)
			s += i * 31L ^ s;
		sum = s;
	}

	public static void main(String[] args) {
		int threads = Integer.parseInt(args[0]);
		boolean pause = args[1].equals("pause");
		for (int t = 0; t < threads; t++) {
			int mine = t;
			new Thread(() -> {
				for (;;) {
					awaitTurn(mine, pause);
					keepBooks();
					turn = (mine + 1) % threads;
				}
			}, "bookkeeper").start();
		}
	}
}
