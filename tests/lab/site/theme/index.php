<!DOCTYPE html>
<html><head><title><?php bloginfo('name'); ?></title><?php wp_head(); ?></head>
<body><h1><?php bloginfo('name'); ?></h1>
<?php while (have_posts()) : the_post(); ?>
<article id="post-<?php the_ID(); ?>"><h2><?php the_title(); ?></h2><?php the_content(); ?></article>
<?php if (is_singular()) { wp_list_comments([], get_comments(['post_id' => get_the_ID()])); } ?>
<?php endwhile; ?>
<?php wp_footer(); ?></body></html>
