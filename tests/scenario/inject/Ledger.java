// SPDX-License-Identifier: BSD-2-Clause
// Ledger THREADS KEPT-MB ENTRIES-A-ROUND: threads that keep so much memory and replace parts of it, round after round.
public class Ledger {
    static byte[][] kept;

    static void book(int entries, long seed) {
        java.util.Random random = new java.util.Random(seed);
        while (true) {
            for (int i = 0; i < entries; i++)
                kept[random.nextInt(kept.length)] = new byte[200];
            try {
                Thread.sleep(1);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    public static void main(String[] args) {
        int entries = Integer.parseInt(args[2]);
        kept = new byte[Integer.parseInt(args[1]) * 4000][];
        for (int i = 0; i < kept.length; i++)
            kept[i] = new byte[200];
        for (int i = 0; i < Integer.parseInt(args[0]); i++) {
            long seed = i;
            new Thread(() -> book(entries, seed), "clerk-" + i).start();
        }
    }
}
