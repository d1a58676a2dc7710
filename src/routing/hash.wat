;; XXH64 with seed 0, as the specification of xxHash describes it. The text lies at 8, its hash is
;; left at 0. `npm run build:hash` makes hash-module.ts of this file.
(module
  (memory (export "memory") 1)
  (global $prime1 i64 (i64.const 0x9e3779b185ebca87))
  (global $prime2 i64 (i64.const 0xc2b2ae3d27d4eb4f))
  (global $prime3 i64 (i64.const 0x165667b19e3779f9))
  (global $prime4 i64 (i64.const 0x85ebca77c2b2ae63))
  (global $prime5 i64 (i64.const 0x27d4eb2f165667c5))

  ;; One word into one lane.
  (func $round (param $lane i64) (param $word i64) (result i64)
    (i64.mul
      (i64.rotl
        (i64.add (local.get $lane) (i64.mul (local.get $word) (global.get $prime2)))
        (i64.const 31))
      (global.get $prime1)))

  ;; One lane into the hash.
  (func $merge (param $hash i64) (param $lane i64) (result i64)
    (i64.add
      (i64.mul
        (i64.xor (local.get $hash) (call $round (i64.const 0) (local.get $lane)))
        (global.get $prime1))
      (global.get $prime4)))

  ;; All whole stripes of 32 bytes, in four lanes.
  (func $stripes (param $at i32) (param $end i32) (result i64)
    (local $lane1 i64) (local $lane2 i64) (local $lane3 i64) (local $lane4 i64)
    (local.set $lane1 (i64.add (global.get $prime1) (global.get $prime2)))
    (local.set $lane2 (global.get $prime2))
    (local.set $lane4 (i64.sub (i64.const 0) (global.get $prime1)))
    (loop $next
      (local.set $lane1 (call $round (local.get $lane1) (i64.load (local.get $at))))
      (local.set $lane2 (call $round (local.get $lane2) (i64.load offset=8 (local.get $at))))
      (local.set $lane3 (call $round (local.get $lane3) (i64.load offset=16 (local.get $at))))
      (local.set $lane4 (call $round (local.get $lane4) (i64.load offset=24 (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 32)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (call $merge
      (call $merge
        (call $merge
          (call $merge
            (i64.add
              (i64.add
                (i64.rotl (local.get $lane1) (i64.const 1))
                (i64.rotl (local.get $lane2) (i64.const 7)))
              (i64.add
                (i64.rotl (local.get $lane3) (i64.const 12))
                (i64.rotl (local.get $lane4) (i64.const 18))))
            (local.get $lane1))
          (local.get $lane2))
        (local.get $lane3))
      (local.get $lane4)))

  ;; What the stripes leave: words of 64 bits, one of 32, bytes.
  (func $rest (param $hash i64) (param $at i32) (param $end i32) (result i64)
    (block $words
      (loop $next
        (br_if $words
          (i32.gt_u (i32.add (local.get $at) (i32.const 8)) (local.get $end)))
        (local.set $hash
          (i64.add
            (i64.mul
              (i64.rotl
                (i64.xor
                  (local.get $hash)
                  (call $round (i64.const 0) (i64.load (local.get $at))))
                (i64.const 27))
              (global.get $prime1))
            (global.get $prime4)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $next)))
    (if (i32.le_u (i32.add (local.get $at) (i32.const 4)) (local.get $end))
      (then
        (local.set $hash
          (i64.add
            (i64.mul
              (i64.rotl
                (i64.xor
                  (local.get $hash)
                  (i64.mul (i64.load32_u (local.get $at)) (global.get $prime1)))
                (i64.const 23))
              (global.get $prime2))
            (global.get $prime3)))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))))
    (block $bytes
      (loop $next
        (br_if $bytes (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $hash
          (i64.mul
            (i64.rotl
              (i64.xor
                (local.get $hash)
                (i64.mul (i64.load8_u (local.get $at)) (global.get $prime5)))
              (i64.const 11))
            (global.get $prime1)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $hash))

  ;; Lets every bit of the text touch every bit of the hash.
  (func $avalanche (param $hash i64) (result i64)
    (local.set $hash
      (i64.mul
        (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 33)))
        (global.get $prime2)))
    (local.set $hash
      (i64.mul
        (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 29)))
        (global.get $prime3)))
    (i64.xor (local.get $hash) (i64.shr_u (local.get $hash) (i64.const 32))))

  ;; Hashes the text of so many bytes.
  (func (export "hash") (param $length i32)
    (local $striped i32)
    (local.set $striped (i32.and (local.get $length) (i32.const -32)))
    (i64.store
      (i32.const 0)
      (call $avalanche
        (call $rest
          (i64.add
            (if (result i64) (local.get $striped)
              (then
                (call $stripes (i32.const 8) (i32.add (local.get $striped) (i32.const 8))))
              (else (global.get $prime5)))
            (i64.extend_i32_u (local.get $length)))
          (i32.add (local.get $striped) (i32.const 8))
          (i32.add (local.get $length) (i32.const 8)))))))
