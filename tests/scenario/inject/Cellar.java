// SPDX-License-Identifier: BSD-2-Clause
// Cellar kept|drunk: bottles come in all the time; every fifteenth is kept for ever, or for a while.
import java.util.ArrayDeque;

public class Cellar {
    static final ArrayDeque<byte[]> shelf = new ArrayDeque<>();

    static void layDown(int number, boolean kept) {
        byte[] bottle = new byte[2000];
        if (number % 15 == 0)
            shelf.add(bottle);
        if (!kept && shelf.size() > 2000)
            shelf.remove();
    }

    public static void main(String[] args) throws Exception {
        boolean kept = args[0].equals("kept");
        for (int number = 0;; number++) {
            layDown(number, kept);
            if (number % 200 == 0)
                Thread.sleep(2);
        }
    }
}
