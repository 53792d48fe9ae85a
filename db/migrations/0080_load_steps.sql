-- The same steps, found in a list of their ends: what is one expression is put into the statement that asks, and costs no call.

create or replace function wootstream.load_step(milliseconds integer) returns integer language sql immutable parallel safe as $$
  select case when milliseconds is null then 0 else (array[
    64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144,
    7168, 8192, 10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768, 40960, 49152, 57344, 65536, 131072
  ])[1 + width_bucket(milliseconds - 1, array[
    64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144,
    7168, 8192, 10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768, 40960, 49152, 57344, 65536
  ])] end
$$;
