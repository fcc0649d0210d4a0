select
    day_on,
    sum(input_uncached_tokens) + coalesce(sum(cache_read_tokens), 0) + coalesce(sum(cache_write_tokens), 0)
        as input_tokens,
    sum(output_tokens) + coalesce(sum(reasoning_tokens), 0) as output_tokens
from public_marts.usage_daily
where day_on > (select max(day_on) from public_marts.usage_daily) - {{days}}
group by day_on
order by day_on
