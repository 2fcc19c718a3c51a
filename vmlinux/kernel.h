/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's structs that are the same on each architecture. */
#pragma once

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
};

struct rw_semaphore {
	atomic_t count;
};

struct mm_struct {
	struct rw_semaphore mmap_lock;
	unsigned long start_code, end_code, start_stack, arg_start, arg_end;
};

struct rq {
	u64 clock, clock_task;
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	u64 exec_start;
	u64 sum_exec_runtime;
	u64 prev_sum_exec_runtime;
	struct cfs_rq *cfs_rq;
};

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct bio;

struct block_device_operations {
	void (*submit_bio)(struct bio *bio);
};

struct gendisk {
	int major, first_minor;
	const struct block_device_operations *fops;
};

struct block_device {
	struct gendisk *bd_disk;
};

struct bvec_iter {
	u64 bi_sector;
	unsigned int bi_size;
};

struct bio {
	struct block_device *bi_bdev;
	unsigned int bi_opf;
	u8 bi_status;
	struct bvec_iter bi_iter;
};

struct device {
	u32 devt;
};

struct backing_dev_info {
	struct device *owner;
};

struct bdi_writeback {
	struct backing_dev_info *bdi;
};

struct super_block {
	u32 s_dev;
	struct backing_dev_info *s_bdi;
};

struct folio {
	unsigned int _nr_pages;
};

enum pageflags {
	PG_head = 6,
};

struct request_queue {
	struct gendisk *disk;
};

enum mq_rq_state {
	MQ_RQ_IDLE = 0,
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
	u64 __sector;
	u64 start_time_ns;
	enum mq_rq_state state;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct cgroup_root *root;
};

struct inode {
	unsigned short i_mode;
	s64 i_size;
	struct super_block *i_sb;
	u32 i_rdev;
};

struct address_space {
	struct inode *host;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct in6_addr {
	u8 bytes[16];
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	atomic_t sk_drops;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	int sk_rcvbuf;
	int sk_err;
	u16 sk_protocol, sk_type;
	u32 sk_ack_backlog, sk_max_ack_backlog;
	void *sk_bpf_storage;
};

struct inet_sock {
	__be16 inet_sport;
};

struct net_device {
	char name[16];
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	__be16 protocol;
	u16 network_header;
	unsigned char *head;
};

struct minmax_sample {
	u32 t, v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct request_sock {
	struct sock *sk;
};

struct request_sock_queue {
	struct request_sock *rskq_accept_head;
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
	u8 icsk_retransmits;
	struct {
		u32 lrcvtime;
	} icsk_ack;
};

struct tcp_sock {
	u32 snd_wnd, mss_cache, snd_cwnd, copied_seq, data_segs_out, lsndtime;
	u8 chrono_type;
	u32 chrono_start, chrono_stat[3];
	u32 write_seq;
	u8 nonagle : 4;
	struct minmax rtt_min;
	u32 rcv_nxt, snd_nxt, snd_una, srtt_us, packets_out, rcv_wnd, rcv_wup, total_retrans;
	u64 bytes_received, bytes_acked, tcp_mstamp;
};

struct sockaddr_un {
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

struct socket {
	struct sock *sk;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	void *stack;
	unsigned int flags;
	unsigned int on_cpu; /* its size has changed: only unsigned fields are read all the same */
	struct sched_entity se;
	unsigned long nvcsw, nivcsw;
	struct pid *thread_pid;
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent, *parent;
	struct task_struct *group_leader;
	u64 start_time;
	char comm[16];
	struct mm_struct *mm;
	int pagefault_disabled;
	unsigned long maj_flt;
	struct signal_struct *signal;
	struct files_struct *files;
	int exit_code;
	unsigned int in_iowait : 1;
	unsigned int frozen : 1;
	unsigned int in_memstall : 1;
	struct thread_struct thread;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	u64 session_id;
	u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop
