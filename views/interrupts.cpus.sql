-- SPDX-License-Identifier: BSD-2-Clause
-- title: CPUs: interrupts, and what the hypervisor took away
SELECT irq AS interrupts_percent, steal AS stolen_percent, busy AS busy_percent, cpu FROM cpu_share ORDER BY irq + steal DESC;
